/* From a customer to his chat in WeCom; only inside of the client is there one. */
(function (app) {
  'use strict';

  async function openChat(pressed) {
    const customer = pressed.dataset.customer;
    try {
      await app.client.openChat(customer);
    } catch (problem) {
      if (problem.state === 'cancelled') return;
      /* Some clients open no single chat from here; all of them open the customer's card, which has a way to it. */
      app.client.openProfile(customer).catch((other) => app.layers.toast('打不开聊天：' + (other.detail || other.message)));
    }
  }

  app.actions = app.actions || {};
  app.actions['open-chat'] = openChat;
  app.actions.back = (link) => {
    const from = document.referrer.split(/[?#]/)[0];
    if (from === link.href && history.length > 1) history.back();
    else location.href = link.href;
  };
  if (app.client.isInside() && window.ww && document.body.dataset.inside) document.body.dataset.inside = 'yes';
})((window.sidebar = window.sidebar || {}));
