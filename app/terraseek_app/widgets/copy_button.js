// A button that copies a text (copy.js comes before this file).

export default function ({ data, parentElement }) {
  const button = smallButton(parentElement);
  button.textContent = data.label;
  button.title = data.text;
  button.onclick = () => copyFrom(button, data.text, data.label);
}
