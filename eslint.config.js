// Rules for the map's JavaScript: ES modules in the browser, node's test runner beside them.
import js from "@eslint/js";
import globals from "globals";

const rules = {
  "no-unused-vars": ["error", { args: "none" }],
  "no-var": "error",
  "prefer-const": "error",
  eqeqeq: ["error", "always"],
  "no-shadow": "error",
  "no-implicit-globals": "error",
};

export default [
  js.configs.recommended,
  {
    files: ["app/**/*.js"],
    languageOptions: { globals: { ...globals.browser, maplibregl: "readonly" } },
    rules,
  },
  { files: ["tests/javascript/**/*.js"], languageOptions: { globals: globals.node }, rules },
];
