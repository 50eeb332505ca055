// A component of the host's user interface. This page has none of the host's own: it shows the component's properties, with the
// titles of its schema.

import type { ComponentChildren } from "preact";
import type { GenuiTool } from "../protocol/types";

type Schema = Record<string, any> | undefined;

/** `weather_card` or `windSpeed`, as words. */
export function worded(name: string): string {
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replace(/[_-]+/g, " ")
    .trim()
    .toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function Component({ component, properties }: { component: GenuiTool; properties: Record<string, unknown> }) {
  return (
    <div class="component" role="group" aria-label={worded(component.short_name)}>
      <Members value={properties} schema={component.schema} root={component.schema} />
    </div>
  );
}

interface Props {
  value: unknown;
  schema: Schema;
  /** Where the schema's references lead. */
  root: Schema;
}

function Members({ value, schema, root }: Props & { value: Record<string, unknown> }) {
  const properties = resolved(schema, root)?.properties as Record<string, Schema> | undefined;
  return (
    <dl class="members">
      {Object.entries(value).map(([name, member]) => {
        const about = resolved(properties?.[name], root);
        return (
          <div key={name}>
            <dt>{typeof about?.title === "string" ? about.title : worded(name)}</dt>
            <dd>
              <Value value={member} schema={about} root={root} />
            </dd>
          </div>
        );
      })}
    </dl>
  );
}

function Value({ value, schema, root }: Props): ComponentChildren {
  if (value === null || value === undefined) return <span class="faint">none</span>;
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number") return value.toLocaleString();
  if (Array.isArray(value)) {
    const item = resolved(resolved(schema, root)?.items, root);
    return (
      <ul class="component-items">
        {value.map((one, at) => (
          <li key={at}>
            <Value value={one} schema={item} root={root} />
          </li>
        ))}
      </ul>
    );
  }
  if (typeof value === "object")
    return <Members value={value as Record<string, unknown>} schema={schema} root={root} />;
  return String(value);
}

/** Follows a reference into the schema's own definitions. */
function resolved(schema: Schema, root: Schema): Schema {
  const path =
    typeof schema?.$ref === "string" && schema.$ref.startsWith("#/") ? schema.$ref.slice(2).split("/") : null;
  if (!path) return typeof schema === "object" ? schema : undefined;
  let at: any = root;
  for (const name of path) at = at?.[name];
  return typeof at === "object" ? at : undefined;
}
