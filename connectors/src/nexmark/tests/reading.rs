//! Sources and readers: parallelism, restore, conditions, pacing, options.

use super::*;

fn env(now_ms: i64) -> ConnectorEnv {
    let output = || -> crate::env::PrintTarget {
        Arc::new(std::sync::Mutex::new(Box::new(std::io::sink())))
    };
    ConnectorEnv {
        clock: Arc::new(move || now_ms),
        monotonic: Arc::new(std::time::Duration::default),
        zone: Zone::UTC,
        stdout: output(),
        stderr: output(),
    }
}

fn source(options: &[(&str, &str)], read: Vec<Field>, pushed: Vec<Expr>) -> Result<Nexmark> {
    source_in(Zone::UTC, options, read, pushed)
}

fn source_in(
    zone: Zone,
    options: &[(&str, &str)],
    read: Vec<Field>,
    pushed: Vec<Expr>,
) -> Result<Nexmark> {
    let mut all: BTreeMap<String, String> =
        BTreeMap::from([("connector".to_owned(), "nexmark".to_owned())]);
    all.extend(options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    let table = Table {
        name: "nexmark".to_owned(),
        options: all.clone(),
        columns: columns(),
        partition_keys: Vec::new(),
        primary_key: Vec::new(),
        governed: None,
    };
    let plan = operator::Source {
        table,
        read,
        metadata: Vec::new(),
        pushed,
        projection: Vec::new(),
        watermark: None,
    };
    Nexmark::new(&plan, &Options::new(all)?, &ConnectorEnv { zone, ..env(0) })
}

fn reader(
    source: &Nexmark,
    subtask: u32,
    parallelism: u32,
    splits: Vec<Split>,
    batch_rows: usize,
) -> Box<dyn SourceReader> {
    let context = ReaderContext {
        subtask,
        parallelism,
        batch_rows,
        linger: Duration::ZERO,
        metrics: Arc::new(SourceMetrics::default()),
    };
    let mut reader = source.reader(context).unwrap();
    reader.add_splits(splits).unwrap();
    reader
}

/// Reads up to `batches` batches, or to the end; sorted lines, and the splits as they stand then.
async fn read(
    source: &Nexmark,
    splits: Vec<Split>,
    batch_rows: usize,
    batches: usize,
) -> (Vec<String>, Vec<Split>) {
    let open = splits.iter().filter(|split| !split.finished).count();
    let mut reader = reader(source, 0, 1, splits, batch_rows);
    let (mut found, mut finished, mut left) = (Vec::new(), 0, batches);
    while finished < open && left > 0 {
        match reader.next().await.unwrap() {
            Read::Batch { rows, .. } => {
                assert!(rows.num_rows() > 0 && rows.num_rows() <= batch_rows);
                found.extend(lines(&rows));
                left -= 1;
            }
            Read::Finished { .. } => finished += 1,
        }
    }
    (found, reader.snapshot().unwrap())
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

#[tokio::test]
async fn every_parallelism_and_batch_size_gives_the_same_events() {
    let source = source(&[("events.num", "50000")], columns(), Vec::new()).unwrap();
    assert!(source.is_bounded());
    let splits = source.enumerate(&[], false).await.unwrap();
    let expected = sorted(lines(&generate(&columns(), [true; 3], 0, 50_000)));
    for (parallelism, batch_rows) in [(1, 4_096), (2, 1_000), (5, 8_192)] {
        let mut found = Vec::new();
        for subtask in 0..parallelism {
            let own = splits.iter().skip(subtask).step_by(parallelism).cloned().collect();
            found.extend(read(&source, own, batch_rows, usize::MAX).await.0);
        }
        assert!(sorted(found) == expected, "parallelism {parallelism}, batches of {batch_rows}");
    }
}

#[tokio::test]
async fn a_restore_goes_on_where_the_snapshot_was_taken() {
    let source = source(&[("events.num", "60000")], columns(), Vec::new()).unwrap();
    let splits = source.enumerate(&[], false).await.unwrap();
    let whole = read(&source, splits.clone(), 500, usize::MAX).await.0;
    for batches in [0, 1, 13, 77] {
        let (mut found, snapshot) = read(&source, splits.clone(), 500, batches).await;
        assert!(source.enumerate(&snapshot, true).await.unwrap().is_empty());
        let (rest, end) = read(&source, snapshot, 700, usize::MAX).await;
        found.extend(rest);
        assert!(sorted(found) == sorted(whole.clone()), "after {batches} batches");
        assert!(end.iter().all(|split| split.finished));
    }
}

#[tokio::test]
async fn splits_advance_together() {
    let source = source(&[("events.num", "300000")], columns(), Vec::new()).unwrap();
    let splits = source.enumerate(&[], false).await.unwrap();
    let own: Vec<Split> = splits.into_iter().skip(1).step_by(2).collect();
    let mut reader = reader(&source, 1, 2, own, 8_192);
    let mut latest = BTreeMap::new();
    while let Read::Batch { split, rows, .. } = reader.next().await.unwrap() {
        let types = rows.column(0).as_primitive::<Int32Type>();
        let bids = field(&rows, "bid", "dateTime");
        let last = (0..types.len()).rev().find(|row| types.value(*row) == 2).unwrap();
        latest.insert(split, bids.as_primitive::<TimestampMillisecondType>().value(last));
        if latest.len() == 12 {
            let spread = latest.values().max().unwrap() - latest.values().min().unwrap();
            // One round over all 24 splits is 105 600 events, 10.56 s at 10 000 events per second.
            assert!(spread <= 10_560, "{spread} ms");
        }
    }
}

#[tokio::test]
async fn pushed_conditions_select_types() {
    let ty = K::Int.nullable();
    let literal = Expr::Literal(Literal { value: Scalar::Integer(1), ty: K::Int.not_null() });
    let condition = Expr::call("=", vec![Expr::column(0, ty), literal], K::Boolean.nullable());
    let source = source(&[("events.num", "1000")], columns(), vec![condition]).unwrap();
    let splits = source.enumerate(&[], false).await.unwrap();
    let (found, _) = read(&source, splits, 100, usize::MAX).await;
    assert_eq!(found.len(), 60);
    assert!(found.iter().all(|line| line.starts_with("1|")));
}

#[tokio::test]
async fn pushed_conditions_are_evaluated_in_the_sessions_zone() {
    let literal =
        |value: i64, ty: SqlType| Expr::Literal(Literal { value: Scalar::Integer(value), ty });
    // Where it is 08:00 at the epoch.
    let condition = || {
        let ty = K::timestamp(3).not_null();
        let epoch = Box::new(literal(0, K::timestamp_ltz(3).not_null()));
        let local = Expr::Cast { input: epoch, ty: ty.clone(), mode: CastMode::Cast };
        Expr::call("=", vec![local, literal(8 * 3_600_000, ty)], K::Boolean.not_null())
    };
    for (zone, rows) in [("UTC", 0), ("+08:00", 50), ("GMT+8", 50), ("UTC-3", 0)] {
        let zone = Zone::parse(zone).unwrap();
        let source =
            source_in(zone, &[("events.num", "50")], columns(), vec![condition()]).unwrap();
        let splits = source.enumerate(&[], false).await.unwrap();
        let (found, _) = read(&source, splits, 100, usize::MAX).await;
        assert_eq!(found.len(), rows, "{zone}");
    }
}

#[tokio::test]
async fn events_wait_for_their_time() {
    // The clock stands still at 0, so that only the events of the first millisecond are due.
    let options = [
        ("events.num", "1000"),
        ("max-emit-speed", "false"),
        ("first-event.rate", "48000"),
        ("next-event.rate", "48000"),
    ];
    let source = source(&options, columns(), Vec::new()).unwrap();
    let splits = source.enumerate(&[], false).await.unwrap();
    let mut reader = reader(&source, 0, 1, splits, 8_192);
    let mut rows = 0;
    let wait = Duration::from_millis(20);
    while let Ok(read) = tokio::time::timeout(wait, reader.next()).await {
        // Splits without a single event end at once.
        if let Read::Batch { rows: batch, .. } = read.unwrap() {
            rows += batch.num_rows();
        }
    }
    assert_eq!(rows, 48);
}

#[tokio::test]
async fn the_end_can_be_set_and_held_open() {
    let bounded =
        |options: &[(&str, &str)]| source(options, columns(), Vec::new()).unwrap().is_bounded();
    assert!(!bounded(&[]));
    assert!(!bounded(&[("events.num", "0")]));
    assert!(bounded(&[("stop-at", "10")]));
    assert!(!bounded(&[("events.num", "10"), ("keep-alive", "true")]));
    let source =
        source(&[("events.num", "100"), ("stop-at", "10")], columns(), Vec::new()).unwrap();
    let splits = source.enumerate(&[], false).await.unwrap();
    assert_eq!(read(&source, splits, 100, usize::MAX).await.0.len(), 10);
}

#[test]
fn options_out_of_range_are_refused() {
    for (key, value) in [
        ("first-event.rate", "0"),
        ("rate.shape", "ROUND"),
        ("bid.hot-ratio.auctions", "0"),
        ("bid.avg-size", "1 gb"),
        ("base-time", "yesterday"),
        ("person.proportion", "-1"),
    ] {
        let error =
            source(&[(key, value)], columns(), Vec::new()).err().map(|error| error.to_string());
        assert!(error.as_deref().is_some_and(|text| text.contains(key)), "{key}: {error:?}");
    }
    let none = [("person.proportion", "0"), ("auction.proportion", "0"), ("bid.proportion", "0")];
    assert!(source(&none, columns(), Vec::new()).is_err());
}

#[test]
fn base_time_and_seed_shape_events() {
    let shape = |options: &[(&str, &str)]| {
        source(options, Vec::new(), Vec::new()).unwrap().data.shape.clone()
    };
    assert_eq!(shape(&[]), Shape::default());
    assert_eq!(shape(&[("base-time", "2024-02-29 12:34:56.789")]).base_time_ms, 1_709_210_096_789);
    assert_eq!(shape(&[("base-time", "2024-02-29T12:34:56Z")]).base_time_ms, 1_709_210_096_000);
    assert_eq!(shape(&[("base-time", "1000")]).base_time_ms, 1_000);
    assert_ne!(shape(&[("seed", "7")]), Shape::default());
    let types: Int32Array =
        generate(&columns()[..1], [true; 3], 0, 50).column(0).as_primitive().clone();
    assert_eq!(types.iter().flatten().filter(|kind| *kind == 2).count(), 46);
}
