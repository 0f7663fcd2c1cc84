// What makes the forms kinder. Every page works without it, and it sends nothing anywhere.
'use strict';

for (const button of document.querySelectorAll('button.reveal')) {
  const field = document.getElementById(button.getAttribute('aria-controls'));
  const caps = document.getElementById(field.id + '-caps');
  const words = { password: [button.textContent, button.getAttribute('aria-label')],
    text: [button.dataset.hide, button.dataset.hideLabel] };
  const turn = (kind) => {
    field.type = kind;
    [button.textContent] = words[kind];
    button.setAttribute('aria-label', words[kind][1]);
  };
  button.hidden = false;
  button.addEventListener('click', () => turn(field.type === 'password' ? 'text' : 'password'));
  // A browser keeps what was sent from a text field, and offers it to the next person.
  field.form.addEventListener('submit', () => turn('password'));

  const hint = (event) => {
    // Autofill sends key events without a key.
    const on = event.type !== 'blur' && event.getModifierState?.('CapsLock');
    const text = on ? caps.dataset.text : '';
    if (caps.textContent !== text) caps.textContent = text;
  };
  for (const kind of ['keydown', 'keyup', 'blur']) field.addEventListener(kind, hint);
}

// A form is sent once, however often its button is pressed, until the page is shown again or the
// answer has been missing for so long that something is wrong.
for (const form of document.querySelectorAll('form[method=post]')) {
  const free = () => form.removeAttribute('data-sent');
  form.addEventListener('submit', (event) => {
    if (form.hasAttribute('data-sent')) return event.preventDefault();
    form.setAttribute('data-sent', '');
    setTimeout(free, 8000);
  });
  addEventListener('pageshow', free);
}

// The email address goes along from form to form, in this tab, and only until the next page.
const email = document.querySelector('form[method=post] input[name=email]');
if (email) {
  const KEY = 'vestibule-email';
  try {
    if (!email.value) email.value = sessionStorage.getItem(KEY) ?? '';
    sessionStorage.removeItem(KEY);
    for (const link of document.querySelectorAll('a[data-keeps-email]')) {
      link.addEventListener('click', () => sessionStorage.setItem(KEY, email.value));
    }
  } catch { /* Storage is switched off: it is typed again. */ }
}

// Back in the browser's own way, so that what was typed is still there.
for (const link of document.querySelectorAll('a[data-back]')) {
  link.addEventListener('click', (event) => {
    if (history.length < 2) return;
    event.preventDefault();
    history.back();
  });
}
