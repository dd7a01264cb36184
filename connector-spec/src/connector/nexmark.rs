//! `nexmark`: the events of the public streaming benchmark.

use crate::spec::{Changes, ConnectorSpec, OptionKind, OptionSpec, Projection, Text};

pub(super) static SPEC: ConnectorSpec = ConnectorSpec {
    name: "nexmark",
    title: "Nexmark",
    summary: Text {
        en: "Generates the people, auctions and bids of the Nexmark benchmark; the same events at every parallelism.",
        zh: "生成 Nexmark 基准的人员、拍卖和出价事件；任何并行度下事件都相同。",
    },
    source: true,
    sink: false,
    formats: &[],
    options: OPTIONS,
    metadata: &[],
    projection: Projection::Nested,
    filter_columns: &["event_type"],
    changes: Changes::Append,
    looks_up: false,
};

const fn number(
    key: &'static str,
    default: &'static str,
    min: i64,
    en: &'static str,
    zh: &'static str,
) -> OptionSpec {
    OptionSpec::new(key, OptionKind::Integer { min, max: i64::MAX }, en, zh)
        .default(default)
        .source()
}

const fn flag(
    key: &'static str,
    default: &'static str,
    en: &'static str,
    zh: &'static str,
) -> OptionSpec {
    OptionSpec::new(key, OptionKind::Boolean, en, zh).default(default).source()
}

const fn size(
    key: &'static str,
    default: &'static str,
    en: &'static str,
    zh: &'static str,
) -> OptionSpec {
    OptionSpec::new(key, OptionKind::MemorySize, en, zh).default(default).source()
}

static OPTIONS: &[OptionSpec] = &[
    number(
        "first-event.rate",
        "10000",
        1,
        "Events per second of event time at the beginning.",
        "开始时每秒（事件时间）的事件数。",
    ),
    number(
        "next-event.rate",
        "10000",
        1,
        "Events per second of event time later on.",
        "之后每秒（事件时间）的事件数。",
    ),
    OptionSpec::new(
        "rate.shape",
        OptionKind::Enum(&["SQUARE", "SINE"]),
        "How the rate moves between the first and the next.",
        "速率在初始值与后续值之间变化的形状。",
    )
    .default("SQUARE")
    .source(),
    OptionSpec::new("rate.period", OptionKind::Duration, "Period of the rate.", "速率变化的周期。")
        .default("600 s")
        .source(),
    flag(
        "rate.limited",
        "false",
        "Events leave no earlier than their time.",
        "事件不早于其时间发出。",
    ),
    flag(
        "max-emit-speed",
        "true",
        "Events leave as fast as possible; false: no earlier than their time.",
        "尽可能快地发出；为 false 时不早于其时间发出。",
    ),
    number(
        "events.num",
        "0",
        0,
        "Ends after so many events; 0 is never.",
        "发出这么多事件后结束；0 表示不结束。",
    ),
    number(
        "person.proportion",
        "1",
        0,
        "People in a block of events.",
        "一组事件中人员事件的份数。",
    ),
    number(
        "auction.proportion",
        "3",
        0,
        "Auctions in a block of events.",
        "一组事件中拍卖事件的份数。",
    ),
    number("bid.proportion", "46", 0, "Bids in a block of events.", "一组事件中出价事件的份数。"),
    size("person.avg-size", "200 b", "Average bytes of a person.", "人员事件的平均字节数。"),
    size("auction.avg-size", "500 b", "Average bytes of an auction.", "拍卖事件的平均字节数。"),
    size("bid.avg-size", "100 b", "Average bytes of a bid.", "出价事件的平均字节数。"),
    number(
        "bid.hot-ratio.auctions",
        "2",
        1,
        "One bid in so many goes to an auction that is not hot.",
        "每这么多个出价中有一个落在非热门拍卖上。",
    ),
    number(
        "bid.hot-ratio.bidders",
        "4",
        1,
        "One bid in so many comes from a bidder who is not hot.",
        "每这么多个出价中有一个来自非热门出价人。",
    ),
    number(
        "auction.hot-ratio.sellers",
        "4",
        1,
        "One auction in so many has a seller who is not hot.",
        "每这么多个拍卖中有一个来自非热门卖家。",
    ),
    OptionSpec::new(
        "base-time",
        OptionKind::Text,
        "Event time of the first event, such as '2015-07-15 00:00:00'. Tidegate's own option.",
        "第一个事件的事件时间，例如 '2015-07-15 00:00:00'。Tidegate 自有选项。",
    )
    .default("2015-07-15 00:00:00")
    .source(),
    flag(
        "keep-alive",
        "false",
        "Keep running without events after the last one.",
        "最后一个事件之后继续运行但不再发出事件。",
    ),
    OptionSpec::new(
        "stop-at",
        OptionKind::Integer { min: -1, max: i64::MAX },
        "Stop before the event with this number; -1 is never.",
        "在此编号的事件之前停止；-1 表示不停止。",
    )
    .default("-1")
    .source(),
    OptionSpec::new(
        "seed",
        OptionKind::Integer { min: i64::MIN, max: i64::MAX },
        "Another seed gives other events. Tidegate's own option.",
        "不同的种子产生不同的事件。Tidegate 自有选项。",
    )
    .default("0")
    .source(),
];
