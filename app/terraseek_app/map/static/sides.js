// Colours of the hits of two searches: orange, blue and white of Okabe and Ito's palette, which
// colour-blind readers tell apart; the marks differ in shape too (component.css).

export const SIDE_COLOURS = { first: "#e69f00", second: "#0072b2", both: "#f4f6f8" };
