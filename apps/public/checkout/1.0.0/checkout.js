/*!
 * tandem checkout 1.0.0: a shop's page opens a checkout.
 *
 *   <script src="https://pay.example/checkout/checkout.js"></script>
 *   Tandem.checkout({ button: '#pay', url, onResult: ({ status, result }) => { … } });
 *
 * On a desktop the checkout opens over the shop's page if the shop's origin may frame it, on a phone
 * in the page's place. It only ever opens pages of the Tandem that this file came from. This file is
 * never changed: a change is another version (docs/checkout.md).
 */
(() => {
  'use strict';

  const PROTOCOL = 'tandem.checkout/1';
  const VERSION = '1.0.0';
  const ASK_MS = 200;
  const PATIENCE_MS = 8000;
  const LOADING_MS = 30_000;
  const WIDE = '(min-width: 720px) and (pointer: fine)';

  const address = document.currentScript.src;
  const origin = new URL(address).origin;

  /** The address of a checkout page of our Tandem, and of nothing else. */
  function pageOf(url) {
    const page = new URL(String(url), origin);
    if (page.origin !== origin || !/\/checkout\/[sli]\/[\w-]+$/.test(page.pathname)) {
      throw new TypeError(`Tandem.checkout: ${origin} has no checkout page at this address`);
    }
    return page.href;
  }

  function styled(element, rules) {
    Object.assign(element.style, rules);
    return element;
  }

  /** The page in a frame over the shop's. Calls back with what the page says, in our form. */
  function overlay(page, say) {
    const dialog = styled(document.createElement('dialog'), {
      ...{ width: 'min(440px, 100vw - 32px)', height: 'min(800px, 100vh - 32px)' },
      ...{ padding: '0', border: '0', borderRadius: '20px', overflow: 'hidden' },
      ...{ maxWidth: 'none', maxHeight: 'none', background: 'Canvas' },
      boxShadow: '0 24px 80px rgb(11 16 32 / 35%)',
    });
    dialog.setAttribute('aria-label', 'tandem checkout');
    const frame = styled(document.createElement('iframe'), {
      ...{ width: '100%', height: '100%', border: '0', display: 'block' },
    });
    frame.title = 'tandem checkout';
    frame.referrerPolicy = 'no-referrer';
    // It needs scripts and its own origin, and opens the wallet in a tab of its own. It cannot lead
    // the shop's page away.
    frame.setAttribute(
      'sandbox',
      'allow-scripts allow-same-origin allow-popups allow-popups-to-escape-sandbox',
    );
    frame.src = page;
    dialog.append(frame);
    document.body.append(dialog);
    dialog.showModal();

    let loaded = false;
    let ready = false;
    const ask = setInterval(() => {
      // While it loads the frame is not of our origin yet, and a browser would complain.
      if (loaded) frame.contentWindow?.postMessage({ tandem: PROTOCOL, type: 'hello' }, origin);
    }, ASK_MS);
    // A frame that the browser refuses is loaded, too, and says nothing.
    let patience = setTimeout(refused, LOADING_MS);
    frame.addEventListener('load', () => {
      if (loaded) return;
      loaded = true;
      clearTimeout(patience);
      patience = setTimeout(refused, PATIENCE_MS);
    });

    function refused() {
      end();
      say({ type: 'refused' });
    }
    function heard(event) {
      if (event.origin !== origin || event.source !== frame.contentWindow) return;
      const told = event.data;
      if (typeof told !== 'object' || told === null || told.tandem !== PROTOCOL) return;
      if (!ready) {
        ready = true;
        clearInterval(ask);
        clearTimeout(patience);
      }
      say(told);
    }
    function end() {
      clearInterval(ask);
      clearTimeout(patience);
      removeEventListener('message', heard);
      dialog.remove();
    }
    addEventListener('message', heard);
    dialog.addEventListener('close', () => {
      end();
      say({ type: 'closed' });
    });
    return { close: () => dialog.close() };
  }

  /**
   * Have a checkout ready to be opened.
   *
   * `url`, or `session`, which makes a session when it is asked for one and returns its address.
   * `button`, an element or its selector: pressing it opens the checkout. `onResult` hears the
   * state and the signed result, for the shop's server to check; without it the page goes on to the
   * session's `success_url`. `onClose` hears that it was closed, `onError` why it did not open.
   */
  function checkout({ url, session, button, onResult, onClose, onError } = {}) {
    let shown = null;
    let opening = false;

    function say(page, told) {
      if (told.type === 'result') {
        const { status, result } = told;
        if (onResult !== undefined) onResult({ status, result });
        else if (typeof told.url === 'string' && /^https?:\/\//.test(told.url))
          location.assign(told.url);
      } else if (told.type === 'close') {
        shown?.close();
      } else if (told.type === 'closed') {
        shown = null;
        onClose?.();
      } else if (told.type === 'refused') {
        shown = null;
        location.assign(page); // this page may not frame it, or the network is slow
      }
    }

    async function open() {
      if (opening || shown !== null) return; // pressed twice
      opening = true;
      try {
        const page = pageOf(url ?? (await session()));
        if (matchMedia(WIDE).matches && typeof HTMLDialogElement === 'function')
          shown = overlay(page, (told) => say(page, told));
        else location.assign(page);
      } catch (error) {
        if (onError === undefined) throw error;
        onError(error);
      } finally {
        opening = false;
      }
    }

    const pressed = typeof button === 'string' ? document.querySelector(button) : button;
    pressed?.addEventListener('click', (event) => {
      event.preventDefault();
      void open();
    });
    return { open, close: () => shown?.close() };
  }

  globalThis.Tandem = Object.freeze({ checkout, version: VERSION });
})();
