/* A button in somebody else's page that opens one of our forms:
     <script src="https://feedback.example.com/widget.js" data-form="feedback" data-label="Feedback" data-colour="#0a6a88" async></script>
   It sets no cookie, loads nothing before it is pressed, and touches nothing of the page. The form says itself which origins may frame it. */
(() => {
  const script = document.currentScript;
  const { form, label = "Feedback", colour = "#0a6a88", lang = "" } = script.dataset;
  if (!form) return;
  const portal = new URL(script.src).origin;
  const url = `${portal}/f/${encodeURIComponent(form)}/`;
  const query = lang ? "lang=" + encodeURIComponent(lang) : "";
  const make = (name, attributes = {}, ...children) => {
    const node = Object.assign(document.createElement(name), attributes);
    node.append(...children);
    return node;
  };

  const speaks = (lang || document.documentElement.lang || "en").slice(0, 2);
  const [shut, apart, elsewhere] = {
    ar: ["إغلاق", "لا يمكن عرض النموذج داخل هذه الصفحة. ", "افتحه في علامة تبويب جديدة"],
    de: ["Schließen", "Das Formular kann in dieser Seite nicht gezeigt werden. ", "In einem neuen Tab öffnen"],
    es: ["Cerrar", "El formulario no se puede mostrar dentro de esta página. ", "Abrirlo en otra pestaña"],
  }[speaks] || ["Close", "The form cannot be shown inside this page. ", "Open it in a new tab"];
  const away = make("a", { href: `${url}?${query}`, target: "_blank", rel: "noopener", textContent: elsewhere });
  const sorry = make("p", { hidden: true }, apart, away);
  const frame = make("iframe", { title: label });
  const close = make("button", { type: "button", className: "close", ariaLabel: shut }, "\u00d7");
  const dialog = make("dialog", { ariaLabel: label }, make("header", {}, make("b", {}, label), close), sorry);
  const button = make("button", { type: "button", className: "open" }, label);
  button.setAttribute("aria-haspopup", "dialog");

  // Made by script, so that a page whose policy forbids inline styles shows it as well.
  const style = new CSSStyleSheet();
  style.replaceSync(`
    :host { all: initial; }
    * { box-sizing: border-box; font: 500 16px/1.3 system-ui, sans-serif; }
    .open { position: fixed; inset-block-end: 20px; inset-inline-end: 20px; z-index: 2147483000; min-height: 48px; padding: 0 20px; border: 0; border-radius: 24px; color: #fff; box-shadow: 0 2px 12px rgb(0 0 0 / .25); cursor: pointer; }
    button:focus-visible { outline: 3px solid Highlight; outline-offset: 3px; }
    dialog { inset: auto 20px 20px auto; width: min(480px, calc(100vw - 40px)); height: min(720px, calc(100dvh - 40px)); padding: 0; border: 0; border-radius: 14px; background: Canvas; color: CanvasText; color-scheme: light dark; overflow: hidden; box-shadow: 0 12px 48px rgb(0 0 0 / .35); }
    dialog[dir=rtl] { inset: auto auto 20px 20px; }
    dialog::backdrop { background: rgb(0 0 0 / .4); }
    dialog[open] { display: flex; flex-direction: column; }
    header { display: flex; align-items: center; justify-content: space-between; gap: 12px; padding: 4px 6px 4px 20px; border-block-end: 1px solid color-mix(in srgb, CanvasText 15%, Canvas); }
    [dir=rtl] header { padding: 4px 20px 4px 6px; }
    b { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
    iframe { flex: 1; width: 100%; border: 0; }
    p { margin: 24px 20px; } a { color: LinkText; } [hidden] { display: none; }
    .close { flex: none; width: 44px; height: 44px; border: 0; border-radius: 22px; background: none; color: inherit; font-size: 24px; cursor: pointer; }
    @media (max-width: 560px) { dialog { inset: 0; width: 100vw; max-width: none; height: 100dvh; max-height: none; border-radius: 0; } }
  `);

  const host = make("div");
  const root = host.attachShadow({ mode: "open" });
  root.adoptedStyleSheets = [style];
  root.append(button, dialog);
  if (CSS.supports("color", colour)) button.style.background = colour;

  let isThere = false;
  let isSent = false;
  let timer;

  function open() {
    dialog.dir = getComputedStyle(document.documentElement).direction;
    if (!frame.src || isSent) {
      isThere = isSent = false;
      frame.src = `${url}?embed=1&${query}`;
      dialog.append(frame);
    }
    dialog.showModal();
    frame.focus();
  }

  // A page that may not frame the form gets the browser's own blank instead, which says nothing to anybody.
  const check = () => {
    sorry.hidden = isThere;
    frame.hidden = !isThere;
  };
  frame.addEventListener("load", () => {
    clearTimeout(timer);
    timer = setTimeout(check, 1000);
  });

  addEventListener("message", (event) => {
    if (event.origin !== portal || event.source !== frame.contentWindow) return;
    const what = event.data?.feedback;
    if (what === "ready" || what === "sent") {
      isThere = true;
      check();
    }
    if (what === "sent") isSent = true;
    if (what === "close") dialog.close();
  });

  button.addEventListener("click", open);
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  // The browser gives the focus back to what had it; in a shadow root not every one does.
  dialog.addEventListener("close", () => button.focus());

  const put = () => document.body.append(host);
  if (document.body) put();
  else addEventListener("DOMContentLoaded", put);
})();
