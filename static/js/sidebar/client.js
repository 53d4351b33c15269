/* The WeCom client around the page: is there one, whose chat is open, and what can be sent into it.
   ES2017 only, as in all files of this folder: some clients carry a web view of that age. */
(function (app) {
  'use strict';

  app.setup = JSON.parse(document.getElementById('setup').textContent);

  const WAIT_MS = 6000;
  const NAMES = ['getContext', 'getCurExternalContact', 'sendChatMessage', 'openUserProfile', 'openEnterpriseChat'];
  const GROUP_ENTRIES = ['group_chat_tools', 'chain_group_chat_tools', 'internal_group_chat_board'];
  const SENDING_ENTRIES = ['single_chat_tools', 'single_kf_tools', 'chat_attachment', 'chain_single_chat_tools'];

  /* What keeps the page from going on: `state` names a picture of page.html, `detail` is for the administrator. */
  class Problem extends Error {
    constructor(state, detail) {
      super(detail || state);
      this.state = state;
      this.detail = detail || '';
    }
  }

  let registered = false;
  let embeddedUsed = false;
  const steps = [];

  function note(name, outcome) {
    steps.push({ name: name, outcome: outcome });
  }

  /* Return a signature for an address: the one that came with the page, once, and then new ones. */
  async function signature(kind, url) {
    const setup = app.setup;
    if (kind === 'agent' && setup.signature && !embeddedUsed && url === setup.url) {
      embeddedUsed = true;
      return { timestamp: setup.timestamp, nonceStr: setup.nonceStr, signature: setup.signature };
    }
    const query = 'kind=' + kind + '&url=' + encodeURIComponent(url);
    return app.talk.json('GET', '/api/jssdk/signature?' + query);
  }

  function register() {
    registered = true;
    const ended = (name) => (result) => note(name, (result && result.errMsg) || 'ok');
    window.ww.register({
      corpId: app.setup.corpId,
      agentId: app.setup.agentId,
      jsApiList: NAMES,
      getConfigSignature: (url) => signature('corp', url),
      getAgentConfigSignature: (url) => signature('agent', url),
      onConfigSuccess: ended('config'),
      onConfigFail: ended('config'),
      onAgentConfigSuccess: ended('agentConfig'),
      onAgentConfigFail: ended('agentConfig'),
    });
  }

  /* Call the client; outside of it, or where it hangs, the SDK's promises never end. */
  function call(name, params) {
    if (!registered) register();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        note(name, 'no answer');
        reject(new Problem('slow', name + ': no answer'));
      }, WAIT_MS);
      const end = (settle) => (result) => {
        clearTimeout(timer);
        settle(result);
      };
      window.ww[name](params || {}).then(
        end((result) => {
          note(name, result.errMsg || 'ok');
          resolve(result);
        }),
        end((result) => {
          const text = result instanceof Problem ? result.detail : String((result && (result.errMsg || result.message)) || result);
          note(name, text);
          reject(result instanceof Problem ? result : new Problem(stateOf(text), text));
        }),
      );
    });
  }

  /* Return the state behind a refusal. WeCom words the same refusal differently on each platform. */
  function stateOf(text) {
    const said = text.toLowerCase();
    if (said.includes('cancel')) return 'cancelled';
    if (said.includes('without context')) return 'nobody';
    if (said.includes('not exist') || said.includes('not support')) return 'old';
    return 'denied';
  }

  function settled(promise) {
    return promise.then((value) => ({ value: value }), (problem) => ({ problem: problem }));
  }

  function isInside() {
    return /wxwork\//i.test(navigator.userAgent);
  }

  /* Return where the page stands ({entry, customer}); throw a Problem where there is no customer to show.
     A handshake that the SDK gives up because the address changed under it is begun once more. */
  async function look() {
    try {
      return await attempt();
    } catch (problem) {
      if (!/aborted/i.test(problem.detail || '')) throw problem;
      return attempt();
    }
  }

  async function attempt() {
    const inside = isInside();
    if (inside && !window.ww) throw new Problem('old', navigator.userAgent);
    if (!inside || !window.ww.env.isWeCom) throw new Problem('outside');
    const found = await Promise.all([settled(call('getContext')), settled(call('getCurExternalContact'))]);
    const context = found[0];
    const contact = found[1];
    const entry = context.value ? context.value.entry : '';
    if (GROUP_ENTRIES.includes(entry)) throw new Problem('group');
    if (contact.problem) throw contact.problem;
    if (!contact.value.userId) throw new Problem('nobody');
    return { entry: entry, customer: contact.value.userId, sends: SENDING_ENTRIES.includes(entry) };
  }

  /* A failed handshake leaves a rejection that nobody can catch; it has been said already. */
  window.addEventListener('unhandledrejection', (event) => {
    const reason = event.reason;
    if (reason instanceof Problem || (reason && reason.errMsg)) event.preventDefault();
  });

  app.Problem = Problem;
  app.client = {
    look: look,
    send: (message) => call('sendChatMessage', message),
    openProfile: (userid) => call('openUserProfile', { type: 2, userid: userid }),
    openChat: (userid) => call('openEnterpriseChat', { userIds: [], externalUserIds: [userid], groupName: '', chatId: '' }),
    isInside: isInside,
    steps: steps,
  };
})((window.sidebar = window.sidebar || {}));
