//! A client's answers to the questions of an agent.

use serde_json::value::RawValue;

use super::{
    invalid::Invalid,
    json::{self, Members, Object},
};

/// The chosen labels of each question, in either shape a client may send (`docs/protocol.md`, Messages).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers(Vec<(String, String)>);

impl Answers {
    /// Parses `[{"question", "selectedOptions": […]}]` or `{"<question>": "label" | ["label", …]}`.
    pub(super) fn parse(raw: &RawValue) -> Result<Self, Invalid> {
        if let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(raw.get()) {
            return items
                .into_iter()
                .enumerate()
                .map(|(at, item)| listed(at, item))
                .collect::<Result<_, _>>()
                .map(Self);
        }
        let Ok(members) = serde_json::from_str::<Members<'_>>(raw.get()) else {
            return Err(Invalid::Field("answers must be an array or an object".into()));
        };
        members
            .into_iter()
            .map(|(question, value)| {
                let labels = labels(value).ok_or_else(|| {
                    Invalid::Field(format!("answers[{question:?}] must be a string or an array of strings"))
                })?;
                Ok((question, labels))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Checks that every answer belongs to a question of the tool's input, and that there is an answer: the agent reads
    /// any other one as silence. An input in which no question is found admits every answer.
    ///
    /// # Errors
    /// The questions, if the answers are for others.
    pub(super) fn check(&self, input: &RawValue) -> Result<(), Vec<String>> {
        let questions = questions(input);
        let is_asked = |question: &String| questions.contains(question);
        if questions.is_empty()
            || (!self.0.is_empty() && self.0.iter().all(|(question, _)| is_asked(question)))
        {
            Ok(())
        } else {
            Err(questions)
        }
    }

    /// Returns the tool's original input with these `answers` in it, which is what the agent expects.
    pub(super) fn with_input(&self, input: &RawValue) -> Box<RawValue> {
        let original: Members<'_> = serde_json::from_str(input.get()).unwrap_or_default();
        let answers = self
            .0
            .iter()
            .fold(Object::new(), |object, (question, labels)| object.string(question, labels))
            .finish();
        let merged = original
            .iter()
            .filter(|(key, _)| *key != "answers")
            .fold(Object::new(), |object, (key, value)| object.raw(key, value))
            .json("answers", &answers)
            .finish();
        json::into_raw(merged)
    }
}

/// The texts of the questions in the tool's input.
fn questions(input: &RawValue) -> Vec<String> {
    let question = |item: &&RawValue| {
        let members: Members<'_> = serde_json::from_str(item.get()).ok()?;
        serde_json::from_str(members.get("question")?.get()).ok()
    };
    let members: Members<'_> = serde_json::from_str(input.get()).unwrap_or_default();
    let items: Vec<&RawValue> =
        members.get("questions").and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    items.iter().filter_map(question).collect()
}

fn listed(at: usize, item: &RawValue) -> Result<(String, String), Invalid> {
    let wrong = |field: &str, want: &str| Invalid::Field(format!("answers[{at}]{field} must be {want}"));
    let members: Members<'_> = serde_json::from_str(item.get()).map_err(|_| wrong("", "an object"))?;
    let question = members
        .get("question")
        .and_then(|raw| serde_json::from_str(raw.get()).ok())
        .ok_or_else(|| wrong(".question", "a string"))?;
    let labels = members
        .get("selectedOptions")
        .and_then(|raw| labels(raw))
        .ok_or_else(|| wrong(".selectedOptions", "an array of strings"))?;
    Ok((question, labels))
}

fn labels(raw: &RawValue) -> Option<String> {
    serde_json::from_str::<String>(raw.get())
        .or_else(|_| serde_json::from_str::<Vec<String>>(raw.get()).map(|labels| labels.join(", ")))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(answers: &str, input: &str) -> String {
        let answers = Answers::parse(&RawValue::from_string(answers.into()).unwrap()).unwrap();
        answers.with_input(&RawValue::from_string(input.into()).unwrap()).get().to_owned()
    }

    #[test]
    fn both_shapes_reach_the_agent_alike() {
        let want = r#"{"questions":[1],"answers":{"Which?":"Red, Blue"}}"#;
        let input = r#"{"questions":[1]}"#;
        assert_eq!(merged(r#"[{"question":"Which?","selectedOptions":["Red","Blue"]}]"#, input), want);
        assert_eq!(merged(r#"{"Which?":["Red","Blue"]}"#, input), want);
        assert_eq!(merged(r#"{"Which?":"Red, Blue"}"#, r#"{"questions":[1],"answers":{"x":"y"}}"#), want);
    }

    #[test]
    fn answers_must_be_for_the_questions_that_were_asked() {
        let check = |answers: &str, input: &str| {
            let answers = Answers::parse(&RawValue::from_string(answers.into()).unwrap()).unwrap();
            answers.check(&RawValue::from_string(input.into()).unwrap())
        };
        let asked = r#"{"questions":[{"question":"A?"},{"question":"B?"}]}"#;
        for fits in
            [r#"{"A?":"x"}"#, r#"{"B?":[],"A?":"x"}"#, r#"[{"question":"B?","selectedOptions":["x"]}]"#]
        {
            assert_eq!(check(fits, asked), Ok(()), "{fits}");
        }
        for other in ["{}", "[]", r#"{"a?":"x"}"#, r#"{"A?":"x","C?":"y"}"#] {
            assert_eq!(check(other, asked), Err(vec!["A?".to_owned(), "B?".to_owned()]), "{other}");
        }
        for unreadable in ["{}", "[]", r#"{"questions":[]}"#, r#"{"questions":[1]}"#] {
            assert_eq!(check(r#"{"A?":"x"}"#, unreadable), Ok(()), "{unreadable}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (answers, named) in [
            ("3", "answers must be"),
            ("[3]", "answers[0] must be an object"),
            (r#"[{"selectedOptions":[]}]"#, "answers[0].question"),
            (r#"[{"question":"q","selectedOptions":[1]}]"#, "answers[0].selectedOptions"),
            (r#"{"q":1}"#, "answers[\"q\"]"),
        ] {
            let error = Answers::parse(&RawValue::from_string(answers.into()).unwrap()).unwrap_err();
            assert!(error.to_string().contains(named), "{answers}: {error}");
        }
    }
}
