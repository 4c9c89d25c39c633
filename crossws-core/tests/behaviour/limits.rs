//! `docs/limits.md` lists every limit with the default that the code has. A server does not start
//! with settings that would refuse or end every connection.

use std::sync::Arc;
use std::time::Duration;

use crossws_core::adapter::Start;
use crossws_core::{Hub, Limits, Origin, RouteSettings, Settings, SettingsError, hooks};
use futures_lite::future::block_on;

/// Returns a default in the form of the table.
fn written(debug: &str) -> String {
    let inner = |prefix: &str| debug.strip_prefix(prefix)?.strip_suffix(')');
    if debug == "None" {
        "none".to_owned()
    } else if let Some(number) = inner("At(") {
        let number: usize = number.parse().unwrap();
        match number {
            n if n >= 1 << 20 && n % (1 << 20) == 0 => format!("{} MiB", n >> 20),
            n if n >= 1000 => format!("{},{:03}", n / 1000, n % 1000),
            n => n.to_string(),
        }
    } else if let Some(seconds) = inner("Some(").unwrap_or(debug).strip_suffix('s') {
        format!("{seconds} s")
    } else {
        format!("`{debug}`")
    }
}

#[test]
fn the_documents_table_says_what_the_code_does() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/limits.md");
    let page = std::fs::read_to_string(path).unwrap();
    let table: Vec<(String, String)> = page
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
            let name = cells.next()?.strip_suffix('`')?;
            // Other types' bounds are on the page, too.
            if name.contains("::") {
                return None;
            }
            Some((name.to_owned(), cells.next()?.to_owned()))
        })
        .collect();
    let debug = format!("{:?}", Limits::default());
    let fields = debug.strip_prefix("Limits { ").unwrap();
    let fields = fields.strip_suffix(" }").unwrap().split(", ");
    let code: Vec<(String, String)> = fields
        .map(|field| field.split_once(": ").unwrap())
        .map(|(name, default)| (name.to_owned(), written(default)))
        .collect();
    assert_eq!(table, code);
}

/// Starts an application on a hub with these settings.
fn start(settings: &Settings) -> Result<(), String> {
    let hub = Hub::builder().settings(settings.clone()).build();
    let start = Start::default();
    block_on(start.run(&Arc::new(hooks()), &hub)).map_err(|error| error.to_string())
}

#[test]
fn settings_that_cannot_be_used_keep_the_server_from_starting() {
    let limits =
        |change: fn(Limits) -> Limits| Settings::default().limits(change(Limits::default()));
    let wrong = [
        (
            limits(|it| it.max_unfinished(0)),
            "`max_unfinished` is zero",
        ),
        (limits(|it| it.max_fragments(0)), "`max_fragments` is zero"),
        (
            limits(|it| it.max_control_rate(0)),
            "`max_control_rate` is zero",
        ),
        (limits(|it| it.max_name_len(0)), "`max_name_len` is zero"),
        (limits(|it| it.max_target(0)), "`max_target` is zero"),
        (
            limits(|it| it.message_timeout(Duration::ZERO)),
            "`message_timeout` is zero",
        ),
        (
            limits(|it| it.upgrade_timeout(Duration::ZERO)),
            "`upgrade_timeout` is zero",
        ),
        (
            limits(|it| it.ping_interval(Duration::ZERO)),
            "`ping_interval` is zero",
        ),
        (
            limits(|it| it.pong_timeout(Duration::ZERO)),
            "`pong_timeout` is zero",
        ),
        (
            limits(|it| it.idle_timeout(Duration::ZERO)),
            "`idle_timeout` is zero",
        ),
        (
            limits(|it| it.inactivity_timeout(Duration::ZERO)),
            "`inactivity_timeout` is zero",
        ),
        (
            limits(|it| it.max_lifetime(Duration::ZERO)),
            "`max_lifetime` is zero",
        ),
        (
            Settings::default().origin(Origin::listed(["app.example"])),
            "`app.example` in `Origin::listed`",
        ),
        (
            Settings::default().protocols(["chat.v1", "chat v2"]),
            "\"chat v2\"",
        ),
        (Settings::default().protocols([""]), "\"\""),
        // No peer could be subscribed.
        (
            Settings::default().topic("t".repeat(256)),
            "256 bytes, at most 255",
        ),
        (
            limits(|it| it.max_topics(1)).topic("a").topic("b"),
            "1 topics",
        ),
    ];
    for (settings, named) in wrong {
        let error = start(&settings).unwrap_err();
        assert!(
            error.starts_with("the settings cannot be used: "),
            "{error}"
        );
        assert!(error.contains(named), "{named}: {error}");
    }
    // Zero is allowed here.
    for settings in [
        Settings::default(),
        limits(|it| {
            it.max_peers(0)
                .max_namespaces(0)
                .max_topics(0)
                .max_patterns(0)
        }),
        limits(|it| {
            it.max_timers(0)
                .max_tags(0)
                .max_retained(0)
                .max_kept_head(0)
        }),
        limits(|it| it.max_message_size(0).max_frame_size(0).max_inbound(0)),
        limits(|it| {
            it.max_buffered(0)
                .max_queued(0)
                .max_queue_age(Duration::ZERO)
        }),
        limits(|it| {
            it.close_timeout(Duration::ZERO)
                .auto_pong(false)
                .ping_interval(None)
        }),
        limits(|it| it.max_topics(1)).topic("a").topic("a"),
    ] {
        assert_eq!(start(&settings), Ok(()), "{settings:?}");
    }
}

#[test]
fn settings_of_a_route_are_checked_alone() {
    let route = RouteSettings::new().ping_interval(Duration::ZERO);
    assert_eq!(route.validate(), Err(SettingsError::Zero("ping_interval")));
    let inside = RouteSettings::new().ping_interval(None).inherit(&route);
    assert_eq!(inside.validate(), Ok(()), "the route's own is used");
    let route = RouteSettings::new().origin(Origin::listed(["*"]));
    assert_eq!(route.validate(), Err(SettingsError::Origin("*".into())));
}
