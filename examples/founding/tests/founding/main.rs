//! The checks of the founding programs: in virtual time, and over sockets on tokio and smol. Each
//! check is a row, or a part of a row, of the table that describes the app.

#![allow(clippy::unwrap_used, clippy::panic)]

mod client;
mod describe;
mod files;
mod loops;
mod mock;
mod namespaces;
mod notify;
mod sse;
mod time;
mod toolkit;
mod workers;
mod world;

#[path = "../../../../tests/tests/targets/memory.rs"]
mod memory_target;

use world::{World, memory, smol, tokio};

/// Defines a test of each check on each of the platforms.
macro_rules! checks {
    ($($group:ident: $($check:ident)+;)+) => {
        /// The name of each check.
        const ALL: &[&str] = &[$($(concat!(stringify!($group), "::", stringify!($check)),)+)+];

        async fn run(check: &str, world: &dyn World) {
            match check {
                $($(concat!(stringify!($group), "::", stringify!($check)) => {
                    $group::$check(world).await
                })+)+
                other => panic!("no check {other}"),
            }
        }

        mod on_memory {
            $($(#[test] fn $check() {
                super::memory::run(|world| Box::pin(super::$group::$check(world)))
            })+)+
        }
        mod on_tokio {
            $($(#[test] fn $check() {
                super::tokio::run(|world| Box::pin(super::$group::$check(world)))
            })+)+
        }
        mod on_smol {
            $($(#[test] fn $check() {
                super::smol::run(|world| Box::pin(super::$group::$check(world)))
            })+)+
        }
    };
}

checks! {
    files: root_echoes chat_echoes_and_cleans_up_once rooms_say_what_matched files_catch_the_rest
        paths_without_a_file_are_not_found;
    notify: every_connection_of_a_route_gets_the_message an_invalid_note_is_refused
        a_socket_asks_the_apps_http;
    mock: chat_names_the_user_who_joins_writes_and_leaves a_query_with_two_names_is_refused
        a_game_has_a_room_of_its_own
        only_a_good_token_is_let_in the_first_common_protocol_is_named
        a_failed_hook_is_reported_and_the_client_stays
        rooms_are_joined_and_left_and_get_each_message_once
        some_rooms_get_a_message_and_members_of_others_are_excluded
        one_rule_at_most_responds a_frame_is_shown_as_it_was_read
        texts_reach_the_hook_in_upper_case;
    loops: a_terminal_skips_what_is_no_frame a_terminal_is_cleaned_up_once_however_it_ends
        all_connections_of_a_user_are_told what_is_no_push_is_refused
        a_shell_has_a_real_terminal a_shell_dies_with_its_connection;
    time: silence_of_data_ends_a_client a_client_that_sends_data_stays
        three_missed_pongs_end_a_client every_second_or_third_pong_is_enough
        the_hook_answers_pings compression_is_required;
    sse: events_come_every_100_ms the_interval_stops_when_the_client_goes
        events_have_fields_and_go_on_after_the_last lines_stay_lines_and_forge_nothing
        the_chat_talks_over_a_stream_and_posts the_secret_alone_posts
        without_a_stream_the_connection_ends;
    workers: without_a_user_there_is_no_upgrade hooks_see_the_layers_user;
    namespaces: the_chat_greets_and_tells rooms_do_not_hear_each_other
        a_channel_is_a_namespace a_token_is_a_context;
}

/// Runs the same checks in a real workerd, which `scripts/test workers` starts.
#[test]
#[ignore = "needs a Worker: scripts/test workers"]
fn on_workerd() {
    world::workerd::run(|world| {
        Box::pin(async move {
            for check in ALL.iter().filter(|check| world::workerd::can(check)) {
                println!("{check}");
                run(check, world).await;
            }
        })
    });
}
