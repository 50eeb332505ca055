// The form for a new session.

import { useState } from "preact/hooks";
import type { SessionDescription } from "../protocol/types";
import { CreateForm } from "./create_form";
import { Dialog } from "./dialog";
import { MODES, ModelNames } from "./models";

export function NewSession({ sessions, close }: { sessions: SessionDescription[]; close: () => void }) {
  const [cwd, setCwd] = useState("");
  const [title, setTitle] = useState("");
  const [model, setModel] = useState("");
  const [mode, setMode] = useState("");
  const [profile, setProfile] = useState("");
  const [budget, setBudget] = useState("");
  const wanted = () => ({
    ...(cwd.trim() && { cwd: cwd.trim() }),
    ...(title.trim() && { title: title.trim() }),
    ...(model.trim() && { model: model.trim() }),
    ...(mode && { permission_mode: mode }),
    ...(profile.trim() && { profile: profile.trim() }),
    ...(budget && { budget_usd: Number(budget) }),
  });
  return (
    <Dialog title="New session" close={close}>
      <CreateForm wanted={wanted} words={["Start", "Starting…"]} close={close}>
        <Text label="Directory" value={cwd} change={setCwd} placeholder="The first workspace" list="directories" />
        <datalist id="directories">
          {[...new Set(sessions.map((session) => session.cwd))].map((directory) => (
            <option key={directory} value={directory} />
          ))}
        </datalist>
        <Text label="Title" value={title} change={setTitle} placeholder="The first line of the first message" />
        <Text label="Model" value={model} change={setModel} placeholder="The agent's default" list="models" />
        <ModelNames />
        <label class="field">
          <span>Permissions</span>
          <select value={mode} onChange={(event) => setMode(event.currentTarget.value)}>
            <option value="">The agent's default</option>
            {MODES.map(([name, text]) => (
              <option key={name} value={name}>
                {text}
              </option>
            ))}
          </select>
        </label>
        <div class="field-pair">
          <Text label="Profile" value={profile} change={setProfile} placeholder="None" />
          <label class="field">
            <span>Budget in US dollars</span>
            <input
              type="number"
              min="0.01"
              step="0.01"
              inputMode="decimal"
              value={budget}
              placeholder="None"
              onInput={(event) => setBudget(event.currentTarget.value)}
            />
          </label>
        </div>
      </CreateForm>
    </Dialog>
  );
}

interface TextProps {
  label: string;
  value: string;
  change: (value: string) => void;
  placeholder: string;
  list?: string;
}

function Text({ label, value, change, placeholder, list }: TextProps) {
  return (
    <label class="field">
      <span>{label}</span>
      <input
        type="text"
        list={list}
        value={value}
        placeholder={placeholder}
        autocomplete="off"
        spellcheck={false}
        onInput={(event) => change(event.currentTarget.value)}
      />
    </label>
  );
}
