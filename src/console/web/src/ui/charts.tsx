// Small charts: what the turns have cost, and what fills the model's context.

import type { ContextUse } from "../protocol/types";
import type { Turn } from "../state/conversation";
import { dollars, thousands } from "../text/plain";

/** The newest turns that fit into the chart. */
const BARS = 40;

export function CostChart({ turns }: { turns: Turn[] }) {
  const shown = turns.slice(-BARS);
  const most = Math.max(...shown.map((turn) => turn.cost), 1e-9);
  const width = 100 / shown.length;
  return (
    <svg
      class="chart"
      viewBox="0 0 100 28"
      preserveAspectRatio="none"
      role="img"
      aria-label={`Cost of the last ${shown.length} turns, at most ${dollars(most)}`}
    >
      {shown.map((turn, at) => {
        const height = Math.max(0.6, (turn.cost / most) * 27);
        return (
          <rect
            key={at}
            class={turn.failed ? "bad" : ""}
            x={at * width}
            y={28 - height}
            width={Math.max(0.5, width - 0.6)}
            height={height}
          />
        );
      })}
    </svg>
  );
}

/** How much of a whole is used. */
export function Use({ part, whole, label, text }: { part: number; whole: number; label: string; text: string }) {
  const share = Math.min(1, part / whole);
  return (
    <>
      <meter min={0} max={1} low={0.6} high={0.85} optimum={0} value={share} aria-label={label} />
      <p class="faint">
        {text}, {share > 0 && share < 0.01 ? "less than 1" : Math.round(share * 100)} %.
      </p>
    </>
  );
}

/** Kinds of parts that are not in the context now. */
const ELSEWHERE = ["free", "buffer", "deferred"];

/** What fills the context, by the agent's own estimate. */
export function ContextParts({ context }: { context: ContextUse }) {
  const parts = (Array.isArray(context.categories) ? context.categories : [])
    .map(({ name, tokens, kind }) => ({ name: String(name), tokens: Number(tokens) || 0, kind: String(kind) }))
    .filter(({ tokens, kind }) => tokens > 0 && !ELSEWHERE.includes(kind))
    .sort((one, other) => other.tokens - one.tokens);
  const whole = parts.reduce((sum, { tokens }) => sum + tokens, 0);
  if (whole === 0) return null;
  let from = 0;
  return (
    <>
      <svg class="chart parts" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
        {parts.map(({ name, tokens }, at) => {
          const width = (tokens / whole) * 100;
          const x = from;
          from += width;
          return (
            <rect key={name} class={`part-${at % PARTS}`} x={x} y={0} width={Math.max(0.3, width - 0.4)} height={10} />
          );
        })}
      </svg>
      <ul class="legend" aria-label="What fills the context">
        {parts.map(({ name, tokens }, at) => (
          <li key={name}>
            <svg class="swatch" viewBox="0 0 10 10" aria-hidden="true">
              <rect class={`part-${at % PARTS}`} width="10" height="10" />
            </svg>
            <span>{name}</span>
            <span class="faint">{thousands(tokens)}</span>
          </li>
        ))}
      </ul>
    </>
  );
}

/** Colours that the style sheet has. */
const PARTS = 6;
