// Line icons, drawn on a 16 pixel grid. They never stand without words for a screen reader.

const PATHS = {
  plus: "M8 3v10M3 8h10",
  search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10ZM10.8 10.8 14 14",
  send: "M8 13V3M3.5 7.5 8 3l4.5 4.5",
  stop: "M4.5 4.5h7v7h-7z",
  back: "M10 3 5 8l5 5",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  close: "m4 4 8 8M12 4l-8 8",
  image: "M2.5 3.5h11v9h-11zM2.5 11l3.2-3.2 2.6 2.6 2-2 3.2 3M10.5 6.2h.01",
  terminal: "m3 5 3 3-3 3M8.5 11H13",
  file: "M4 2.5h5l3 3v8H4zM9 2.5v3h3",
  edit: "M3 13l.6-2.8L10.8 3l2.2 2.2-7.2 7.2L3 13Z",
  look: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10ZM10.8 10.8 14 14",
  web: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM2 8h12M8 2c2 2 2.4 4 2.4 6S10 12 8 14C6 12 5.600 10 5.600 8S6 4 8 2Z",
  agent: "M3.500 5.500h9v6.500h-9zM8 3v2.500M6.200 8.500h.01M9.800 8.500h.01",
  list: "M6 4h7M6 8h7M6 12h7M3 4h.01M3 8h.01M3 12h.01",
  plug: "M6 2.500v3M10 2.500v3M4.500 5.500h7v2.500a3.500 3.500 0 0 1-7 0zM8 11.500v2",
  tool: "M9.500 3a3.200 3.200 0 0 0-.6 4L3.500 12.300l1.200 1.200L10 8.200a3.200 3.200 0 0 0 3.600-4.300L11.700 5.800 10.200 4.300 12.100 2.400A3.200 3.200 0 0 0 9.500 3Z",
  chevron: "m6 4 4 4-4 4",
  down: "M8 3v10M3.500 8.500 8 13l4.500-4.500",
  copy: "M5.500 5.500h7.500v8H5.500zM10.500 3H3v8",
  fork: "M5 6.500v3M5 6.500a1.750 1.750 0 1 0 0-3.500 1.750 1.750 0 0 0 0 3.500ZM5 13a1.750 1.750 0 1 0 0-3.500A1.750 1.750 0 0 0 5 13ZM11 8a1.750 1.750 0 1 0 0-3.500A1.750 1.750 0 0 0 11 8ZM11 8c0 2-6 .5-6 1.500",
  rewind: "M3 3.500v3.500h3.500M3.300 7A5 5 0 1 1 3 9.500",
  trash: "M3 4.500h10M6.500 4.500V3h3v1.500M4.500 4.500l.6 8.500h5.800l.6-8.500",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
