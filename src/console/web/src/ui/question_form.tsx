// The agent's questions, with their options and a free text.

import { useState } from "preact/hooks";
import { headline, PromptHead, type FormProps } from "./prompts";

interface Question {
  question: string;
  header?: string;
  multiSelect?: boolean;
  options?: { label: string; description?: string }[];
}

export function QuestionForm({ prompt, busy, answer }: FormProps) {
  const given = prompt.data.questions?.questions;
  const questions: Question[] = Array.isArray(given) ? given : [];
  const [chosen, setChosen] = useState<string[][]>(questions.map(() => []));
  const [other, setOther] = useState<string[]>(questions.map(() => ""));
  const answers = questions
    .map((question, at) => {
      const own = other[at]!.trim();
      return { question: question.question, selectedOptions: own ? [...chosen[at]!, own] : chosen[at]! };
    })
    .filter((one) => one.selectedOptions.length > 0);
  const choose = (at: number, label: string, multiple: boolean) =>
    setChosen(
      chosen.map((labels, index) => {
        if (index !== at) return labels;
        if (!multiple) return [label];
        return labels.includes(label) ? labels.filter((one) => one !== label) : [...labels, label];
      }),
    );
  const submit = (event: Event) => {
    event.preventDefault();
    if (answers.length > 0) answer({ type: "question_response", correlation_id: prompt.id, answers });
  };
  return (
    <form onSubmit={submit}>
      <PromptHead>{headline(prompt)}</PromptHead>
      {questions.map((question, at) => (
        <fieldset key={at} class="question">
          <legend>
            {question.header && <span class="chip">{question.header}</span>} {question.question}
          </legend>
          {(question.options ?? []).map((option) => (
            <label key={option.label} class="option">
              <input
                type={question.multiSelect ? "checkbox" : "radio"}
                name={`${prompt.id}-${at}`}
                checked={chosen[at]!.includes(option.label)}
                onChange={() => {
                  choose(at, option.label, question.multiSelect === true);
                  if (!question.multiSelect) setOther(other.map((text, index) => (index === at ? "" : text)));
                }}
              />
              <span>
                <strong>{option.label}</strong>
                {option.description && <span class="faint"> {option.description}</span>}
              </span>
            </label>
          ))}
          <label class="field">
            <span>Something else</span>
            <input
              type="text"
              value={other[at]}
              onInput={(event) => {
                const text = event.currentTarget.value;
                setOther(other.map((old, index) => (index === at ? text : old)));
                if (!question.multiSelect && text)
                  setChosen(chosen.map((labels, index) => (index === at ? [] : labels)));
              }}
            />
          </label>
        </fieldset>
      ))}
      <div class="actions">
        <button type="submit" class="primary" disabled={busy || answers.length === 0}>
          Answer
        </button>
        <button
          type="button"
          class="quiet"
          disabled={busy}
          onClick={() => answer({ type: "permission_response", correlation_id: prompt.id, behavior: "deny" })}
        >
          Decline to answer
        </button>
      </div>
    </form>
  );
}
