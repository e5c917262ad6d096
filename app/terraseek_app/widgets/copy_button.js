// A button that copies a text; in one module with copy.js.

/* global copyFrom, smallButton */

export default function ({ data, parentElement }) {
  const button = smallButton(parentElement);
  button.textContent = data.label;
  button.title = data.text;
  button.onclick = () => copyFrom(button, data.text, data.label);
}
