// A tool call: what it is about, how it stands, and on demand its input and output.

import { useState } from "preact/hooks";
import type { Conversation, Settled, Tool } from "../state/conversation";
import { useStore } from "../state/store";
import { partialObject } from "../text/partial";
import { outputOf } from "../text/plain";
import { Component, worded } from "./component";
import { useApp } from "./context";
import { Entries } from "./entries";
import { Icon } from "./icons";
import { memo } from "./memo";
import { iconOf, isTelling, summaryOf, titleOf, ToolInput } from "./tool_input";

interface Props {
  tool: Tool;
  asks: boolean;
  settled: Settled | undefined;
  cwd: string | undefined;
  /** Only for the messages of a sub-agent. */
  conversation: Conversation | null;
}

export const ToolCard = memo(({ tool, asks, settled, cwd, conversation }: Props) => {
  const component = useStore(useApp().components).get(tool.name);
  const input = tool.input ?? (component ? partialObject(tool.partial) : unfinished(tool.partial));
  const telling = component !== undefined || isTelling(tool.name);
  const [open, setOpen] = useState<boolean | null>(null);
  const answered = tool.name === "AskUserQuestion" && tool.state === "done";
  const expanded = open ?? ((telling && !asks) || answered || tool.state === "failed");
  return (
    <div class={`tool ${tool.state}`}>
      <details
        open={expanded}
        onToggle={(event) => event.currentTarget.open !== expanded && setOpen(event.currentTarget.open)}
      >
        <summary>
          <Icon name={iconOf(tool.name)} />
          <span class="tool-name">{component ? worded(component.short_name) : titleOf(tool.name)}</span>
          <span class="tool-about">{summaryOf(tool.name, input, cwd)}</span>
          <State tool={tool} asks={asks} settled={settled} />
        </summary>
        {expanded && (
          <div class="tool-body">
            {input && component ? (
              <Component component={component} properties={input} />
            ) : input ? (
              <ToolInput name={tool.name} input={input} cwd={cwd} />
            ) : (
              tool.partial && <pre class="plain">{tool.partial}</pre>
            )}
            {component && tool.state === "done" ? null : <Output tool={tool} />}
          </div>
        )}
      </details>
      {tool.children.length > 0 && conversation && (
        <div class="nested" role="group" aria-label={`Sub-agent: ${summaryOf(tool.name, input, cwd)}`}>
          <Entries entries={tool.children} conversation={conversation} cwd={cwd} />
        </div>
      )}
    </div>
  );
});

function State({ tool, asks, settled }: { tool: Tool; asks: boolean; settled: Settled | undefined }) {
  if (asks) return <span class="chip ask">asks you</span>;
  if (settled?.behavior === "deny") return <span class="chip bad">denied</span>;
  switch (tool.state) {
    case "writing":
      return <span class="chip busy">writing</span>;
    case "running":
      return <span class="chip busy">running</span>;
    case "failed":
      return <span class="chip bad">failed</span>;
    case "stopped":
      return <span class="chip">stopped</span>;
    case "done":
      return <span class="chip good">done</span>;
  }
}

/** Lines of an output that are shown without asking. */
const LINES = 24;

function Output({ tool }: { tool: Tool }) {
  const [all, setAll] = useState(false);
  if (tool.output === undefined) return null;
  const { text, images } = outputOf(tool.output);
  const lines = text.split("\n");
  const cut = !all && lines.length > LINES;
  return (
    <div class={tool.state === "failed" ? "output bad" : "output"}>
      {text && (
        <pre class="plain" tabIndex={0} role="group" aria-label="Output">
          {cut ? lines.slice(0, LINES).join("\n") : text}
        </pre>
      )}
      {cut && (
        <button type="button" class="quiet small" onClick={() => setAll(true)}>
          Show {lines.length - LINES} more lines
        </button>
      )}
      {images.map((image, at) => (
        <Picture key={at} media={image.media} data={image.data} alt="Image from the tool" />
      ))}
      {!text && images.length === 0 && <p class="faint">No output.</p>}
    </div>
  );
}

export function Picture({ media, data, alt }: { media: string; data: string; alt: string }) {
  // Anything else in a data URL could be more than a picture.
  if (!/^image\/(png|jpeg|gif|webp)$/.test(media))
    return <p class="faint">An image of the type {media}, which is not shown.</p>;
  return <img class="picture" src={`data:${media};base64,${data}`} alt={alt} />;
}

/** The input while the model writes it, where its JSON happens to be whole. */
function unfinished(partial: string): Record<string, unknown> | undefined {
  if (!partial.endsWith("}")) return undefined;
  try {
    const value: unknown = JSON.parse(partial);
    return typeof value === "object" && value && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
