// What an MCP server asks: a form made from its schema, or a page to visit.

import { useState } from "preact/hooks";
import { headline, PromptHead, type FormProps } from "./prompts";

interface Property {
  type?: string;
  title?: string;
  description?: string;
  enum?: string[];
  enumNames?: string[];
  oneOf?: { const: string; title?: string }[];
  format?: string;
  default?: unknown;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
}

type Value = string | boolean;

export function ElicitationForm({ prompt, busy, answer }: FormProps) {
  const { data, id } = prompt;
  const schema = data.requested_schema ?? {};
  const properties = Object.entries<Property>(schema.properties ?? {});
  const required: string[] = Array.isArray(schema.required) ? schema.required : [];
  const [values, setValues] = useState<Record<string, Value>>(() =>
    Object.fromEntries(
      properties.map(([name, property]) => [
        name,
        property.type === "boolean" ? property.default === true : String(property.default ?? ""),
      ]),
    ),
  );
  const url = data.mode === "url" && typeof data.url === "string" && /^https?:\/\//i.test(data.url) ? data.url : null;
  const submit = (event: Event) => {
    event.preventDefault();
    const content = Object.fromEntries(
      properties
        .filter(([name]) => values[name] !== "")
        .map(([name, property]) => [name, typed(property, values[name]!)]),
    );
    answer({
      type: "elicitation_response",
      correlation_id: id,
      action: "accept",
      ...(data.mode !== "url" && { content }),
    });
  };
  const refuse = (action: "decline" | "cancel") => answer({ type: "elicitation_response", correlation_id: id, action });
  return (
    <form onSubmit={submit}>
      <PromptHead by="an MCP server">{headline(prompt)}</PromptHead>
      <p>{String(data.message ?? "")}</p>
      {data.mode === "url" &&
        (url ? (
          <p>
            It asks you to visit{" "}
            <a href={url} target="_blank" rel="noopener noreferrer nofollow">
              {url}
            </a>
            . The page belongs to {new URL(url).host}.
          </p>
        ) : (
          <p class="problem">It asks you to visit an address that is no web page.</p>
        ))}
      {properties.map(([name, property]) => (
        <Field
          key={name}
          name={name}
          property={property}
          required={required.includes(name)}
          value={values[name]!}
          change={(value) => setValues({ ...values, [name]: value })}
        />
      ))}
      <div class="actions">
        <button type="submit" class="primary" disabled={busy}>
          {data.mode === "url" ? "I have been there" : "Submit"}
        </button>
        <button type="button" disabled={busy} onClick={() => refuse("decline")}>
          Decline
        </button>
        <button type="button" class="quiet" disabled={busy} onClick={() => refuse("cancel")}>
          Dismiss
        </button>
      </div>
    </form>
  );
}

interface FieldProps {
  name: string;
  property: Property;
  required: boolean;
  value: Value;
  change: (value: Value) => void;
}

function Field({ name, property, required, value, change }: FieldProps) {
  const label = property.title ?? name;
  const options =
    property.enum?.map((option, at) => ({ value: option, label: property.enumNames?.[at] ?? option })) ??
    property.oneOf?.map((option) => ({ value: option.const, label: option.title ?? option.const }));
  if (property.type === "boolean") {
    return (
      <label class="check">
        <input type="checkbox" checked={value === true} onChange={(event) => change(event.currentTarget.checked)} />
        <span>
          {label}
          {property.description && <span class="faint"> {property.description}</span>}
        </span>
      </label>
    );
  }
  const number = property.type === "number" || property.type === "integer";
  const types: Record<string, string> = { email: "email", uri: "url", date: "date", "date-time": "datetime-local" };
  return (
    <label class="field">
      <span>
        {label}
        {!required && " (optional)"}
        {property.description && <span class="faint"> {property.description}</span>}
      </span>
      {options ? (
        <select required={required} value={String(value)} onChange={(event) => change(event.currentTarget.value)}>
          <option value="">Choose…</option>
          {options.map((option) => (
            <option key={option.value} value={option.value}>
              {option.label}
            </option>
          ))}
        </select>
      ) : (
        <input
          // The types of the element know no type that is chosen at run time.
          type={(number ? "number" : (types[property.format ?? ""] ?? "text")) as "text"}
          step={property.type === "integer" ? 1 : number ? "any" : undefined}
          required={required}
          min={property.minimum}
          max={property.maximum}
          minLength={property.minLength}
          maxLength={property.maxLength}
          value={String(value)}
          onInput={(event) => change(event.currentTarget.value)}
        />
      )}
    </label>
  );
}

function typed(property: Property, value: Value): unknown {
  if (property.type === "number" || property.type === "integer") return Number(value);
  if (property.format === "date-time" && typeof value === "string") return new Date(value).toISOString();
  return value;
}
