/* Stands in for WeCom's client around the sidebar, in demo mode only: the SDK finds what it finds in the real one.
   Whose chat is open stands in the page's address; what is sent goes to the page around it, if that is ours. */
(function () {
  'use strict';

  const customer = new URLSearchParams(location.search).get('playground');
  const agent = navigator.userAgent + ' wxwork/4.1.36';
  let allowed = [];

  const answers = {
    agentConfig: (params) => {
      allowed = params.jsApiList;
      return {};
    },
    getContext: () => ({ entry: 'single_chat_tools' }),
    getCurExternalContact: () => (customer ? { userId: customer } : null),
    sendChatMessage: (params) => tell('sendChatMessage', params),
    openUserProfile: () => tell('openUserProfile', {}),
  };

  /* Tell the page around this one; plain values only, functions cannot cross. */
  function tell(name, params) {
    if (window.parent !== window) {
      window.parent.postMessage({ from: 'sidebar', name: name, params: JSON.parse(JSON.stringify(params)) }, location.origin);
    }
    return {};
  }

  function answer(name, params) {
    if (name !== 'agentConfig' && !allowed.includes(name)) return { err_msg: name + ':fail_no permission' };
    if (!answers[name]) return { err_msg: name + ':fail_function not exist' };
    const found = answers[name](params || {});
    if (found === null) return { err_msg: name + ':fail_without context of external contact' };
    return Object.assign({ err_msg: name + ':ok' }, found);
  }

  /* Coming back to the panel: the client shows the page again, and the page looks whether it is still true. */
  window.addEventListener('message', (event) => {
    if (event.origin !== location.origin || event.source !== window.parent) return;
    if (event.data && event.data.from === 'playground') document.dispatchEvent(new Event('visibilitychange'));
  });

  Object.defineProperty(navigator, 'userAgent', { get: () => agent, configurable: true });
  window.WeixinJSBridge = {
    invoke: (name, params, callback) => setTimeout(() => callback(answer(name, params)), 0),
    on: () => {},
  };
})();
