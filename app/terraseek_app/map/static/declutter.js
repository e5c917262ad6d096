// Which marks of hits are drawn where they would hide each other. Pure geometry in screen pixels.

export const CLUSTER_PX = 14; // marks nearer than this are one mark with a count
export const THUMB_PX = { width: 66, height: 84 }; // a thumbnail on its stem, above its place
const MAX_COVER = 0.25; // share of the screen that thumbnails may cover

// Group marks. places: [{id, x, y, thumb}] by rank, best first; `thumb` allows a thumbnail.
// Returns a Map of id -> {lead, members, mode}: the mark that stands for it, the ids that a lead
// stands for (itself first), and how it is drawn: "thumb", "pin", or "hidden" in a cluster.
export function declutter(places, width, height) {
  const result = new Map();
  const grid = new Map();
  const cellOf = (value) => Math.floor(value / CLUSTER_PX);
  const near = (place) => {
    for (let i = -1; i <= 1; i++) {
      for (let j = -1; j <= 1; j++) {
        const found = (grid.get(`${cellOf(place.x) + i},${cellOf(place.y) + j}`) ?? []).find(
          (lead) => Math.hypot(lead.x - place.x, lead.y - place.y) <= CLUSTER_PX);
        if (found) return found;
      }
    }
    return null;
  };
  const leads = [];
  for (const place of places) {
    const lead = near(place);
    if (lead) {
      result.get(lead.id).members.push(place.id);
      result.set(place.id, { lead: lead.id, members: [], mode: "hidden" });
      continue;
    }
    const key = `${cellOf(place.x)},${cellOf(place.y)}`;
    grid.set(key, [...(grid.get(key) ?? []), place]);
    leads.push(place);
    result.set(place.id, { lead: place.id, members: [place.id], mode: "pin" });
  }
  const most = Math.floor((MAX_COVER * width * height) / (THUMB_PX.width * THUMB_PX.height));
  const boxes = [];
  for (const lead of leads) {
    if (boxes.length >= most) break;
    if (!lead.thumb || lead.x < 0 || lead.x > width || lead.y < 0 || lead.y > height) continue;
    const isFree = boxes.every((other) => Math.abs(other.x - lead.x) >= THUMB_PX.width
      || Math.abs(other.y - lead.y) >= THUMB_PX.height);
    // a thumbnail must not cover the place of another mark
    const coversNone = leads.every((other) => other === lead
      || Math.abs(other.x - lead.x) > THUMB_PX.width / 2 + 8
      || other.y > lead.y + 6 || other.y < lead.y - THUMB_PX.height - 6);
    if (!isFree || !coversNone) continue;
    boxes.push(lead);
    result.get(lead.id).mode = "thumb";
  }
  return result;
}

// Offsets [dx, dy] that spread n marks at one place on rings around it, without overlap.
export function spread(n) {
  const offsets = [];
  for (let ring = 0; offsets.length < n; ring++) {
    const radius = 44 + 40 * ring;
    const room = Math.floor((2 * Math.PI * radius) / 34);
    const count = Math.min(room, n - offsets.length);
    for (let i = 0; i < count; i++) {
      const angle = (2 * Math.PI * i) / count - Math.PI / 2;
      offsets.push([radius * Math.cos(angle), radius * Math.sin(angle)]);
    }
  }
  return offsets;
}
