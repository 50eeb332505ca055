//! One suite on every host: the stack on bare hyper, in axum, beside grpc-web in tonic, and behind gateways
//! made of our own layers. The names of the tests begin with the host: `bare_hyper::http2::…`.
//!
//! The agent runs inside the test. `examples` runs the examples as processes, with the real CLI.
#![cfg(feature = "cli")]

#[path = "../support/fake.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod fake;
#[path = "../../examples/tonic_web/greeter.rs"]
mod greeter;
#[path = "../support/mod.rs"]
mod support;

mod cuts;
mod examples;
mod gateway;
mod grpc;
mod host;
mod mount;
mod suite;

/// Makes a test of each name, on the host that `$mount` starts, over one version of HTTP.
macro_rules! tests_on {
    ($mount:path, $http:ident: $($test:ident)*) => { $(
        #[tokio::test]
        async fn $test() {
            let host = crate::host::Host::start($mount, crate::host::Http::$http).await;
            crate::suite::$test(host).await;
        }
    )* };
}

/// The tests that run on every host.
macro_rules! suite_on {
    ($mount:path, $http:ident) => {
        tests_on! { $mount, $http:
            a_session_is_created_and_is_ready
            every_mistake_in_a_body_has_its_status
            a_large_body_is_refused
            a_message_names_what_is_wrong_with_it
            a_turn_goes_from_message_to_result
            a_permission_is_asked_for_and_given
            of_twenty_answers_one_wins
            a_stream_has_its_headers
            a_cursor_is_digits
            a_replay_from_every_position_is_the_same_to_the_byte
            readers_that_join_meanwhile_miss_nothing_and_see_nothing_twice
            what_is_gone_is_412_and_not_one_event_early
            a_quiet_stream_lives
            without_the_token_nothing_is_revealed
            what_is_not_there_is_404
            other_methods_are_405_and_the_right_ones_are_listed
            head_is_get_without_its_body
            sessions_are_their_owners_alone
            the_end_of_a_session_ends_its_streams
            shutdown_ends_open_streams_and_then_the_host
        }
    };
}

/// The tests that run where readers get the stream itself and not a recording.
macro_rules! unrecorded_on {
    ($mount:path, $http:ident) => {
        tests_on! { $mount, $http:
            the_state_comes_between_replay_and_what_follows
            a_late_reader_finds_the_open_prompt
            a_reader_that_hangs_up_is_noticed_and_the_run_goes_on
        }
    };
}

macro_rules! hosts {
    ($($name:ident: $mount:path)*) => { $(
        mod $name {
            mod http1 {
                suite_on!($mount, One);
                unrecorded_on!($mount, One);
            }
            mod http2 {
                suite_on!($mount, Two);
                unrecorded_on!($mount, Two);
            }
        }
    )* };
}

hosts! {
    bare_hyper: crate::mount::bare_hyper
    axum_nested: crate::mount::axum_nested
    axum_fallback: crate::mount::axum_fallback
    tonic_beside_grpc_web: crate::mount::tonic
    gateway_passing: crate::gateway::passing
}

mod gateway_recording {
    mod http1 {
        suite_on!(crate::gateway::recording, One);
    }
    mod http2 {
        suite_on!(crate::gateway::recording, Two);
    }
}
