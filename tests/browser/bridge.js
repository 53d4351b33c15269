// What WeCom's client puts into its web views, as far as the JS-SDK touches it: `invoke`, `on` and one DOM event.
// Every call goes to the test's `WeComClient` (client.py), which answers as the real client would.
(() => {
  const settings = __SETTINGS__;
  const listeners = {};
  const bridge = {
    invoke(name, params, callback) {
      const plain = JSON.parse(JSON.stringify(params || {}));
      window.__wecomClient({ name, params: plain, href: location.href }).then((answer) => {
        if (answer && callback) callback(answer);
      });
    },
    on(event, listener) {
      (listeners[event] = listeners[event] || []).push(listener);
    },
  };
  const appear = () => {
    window.WeixinJSBridge = bridge;
    document.dispatchEvent(new Event('WeixinJSBridgeReady'));
  };
  if (settings.present) {
    if (settings.late) window.__bridgeAppears = appear;
    else window.WeixinJSBridge = bridge;
  }
  document.addEventListener('securitypolicyviolation', (event) => {
    window.__pageReports(`${event.violatedDirective}: ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
  });
})();
