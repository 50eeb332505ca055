//! The steps of a run.

use proptest::prelude::*;

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Message,
    Interrupt,
    Allow(u8),
    Deny(u8),
    AnswerQuestion(u8),
    SetModel,
    Started,
    StartFailed,
    TurnStarted,
    Delta(u8),
    Block { message: u8, tool: Option<u8> },
    Stopped(u8),
    AskPermission(u8),
    AskQuestion(u8),
    AskHook(u8),
    Withdraw(u8),
    TurnEnded { unprompted: bool },
    Task { id: u8, running: bool },
    Mcp { connected: bool },
    Answer(u8),
    Exited,
    Wait { seconds: u16, readers: u8 },
    Close,
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    use Step::*;
    prop_oneof![
        4 => Just(Message),
        1 => Just(Interrupt),
        2 => (0..4_u8).prop_map(Allow),
        1 => (0..4_u8).prop_map(Deny),
        1 => (0..4_u8).prop_map(AnswerQuestion),
        1 => Just(SetModel),
        3 => Just(Started),
        1 => Just(StartFailed),
        2 => Just(TurnStarted),
        2 => (0..3_u8).prop_map(Delta),
        3 => (0..3_u8, proptest::option::of(0..3_u8)).prop_map(|(message, tool)| Block { message, tool }),
        1 => (0..3_u8).prop_map(Stopped),
        3 => (0..4_u8).prop_map(AskPermission),
        1 => (0..4_u8).prop_map(AskQuestion),
        1 => (0..4_u8).prop_map(AskHook),
        1 => (0..4_u8).prop_map(Withdraw),
        4 => any::<bool>().prop_map(|unprompted| TurnEnded { unprompted }),
        1 => (0..2_u8, any::<bool>()).prop_map(|(id, running)| Task { id, running }),
        1 => any::<bool>().prop_map(|connected| Mcp { connected }),
        1 => (0..3_u8).prop_map(Answer),
        1 => Just(Exited),
        2 => (0..400_u16, 0..2_u8).prop_map(|(seconds, readers)| Wait { seconds, readers }),
        1 => Just(Close),
    ]
}
