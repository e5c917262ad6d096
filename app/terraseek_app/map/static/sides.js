// Colours of the hits of two searches: purple, green and white of Okabe and Ito's palette, which
// colour-blind readers tell apart; the marks differ in shape too (component.css).

export const SIDE_COLOURS = { first: "#cc79a7", second: "#009e73", both: "#f4f6f8" };
