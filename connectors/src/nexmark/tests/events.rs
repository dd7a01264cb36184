//! What the events are: recorded ones, independence from how they are cut, statistics.

use super::*;

#[test]
fn the_first_events_are_the_recorded_ones() {
    let batch = generate(&columns(), [true; 3], 0, 100);
    let expected: Vec<&str> = RECORDED.lines().collect();
    assert_eq!(lines(&batch), expected);
}

#[test]
fn events_do_not_depend_on_how_they_are_cut() {
    let whole = generate(&columns(), [true; 3], 0, 2_000);
    for step in [1, 7, 50, 333] {
        let parts: Vec<RecordBatch> = (0..2_000_u64)
            .step_by(step)
            .map(|first| generate(&columns(), [true; 3], first, (first + step as u64).min(2_000)))
            .take(40)
            .collect();
        let joined = concat_batches(&whole.schema(), &parts).unwrap();
        assert_eq!(lines(&joined), lines(&whole.slice(0, joined.num_rows())), "steps of {step}");
    }
}

#[test]
fn a_filter_before_is_a_filter_afterwards() {
    let all = generate(&columns(), [true; 3], 123, 4_567);
    let types = all.column(0).as_primitive::<Int32Type>().clone();
    for wanted in
        [[true, false, false], [false, true, false], [false, false, true], [true, true, false]]
    {
        let mask = types.iter().map(|kind| kind.map(|kind| wanted[kind as usize])).collect();
        let expected = filter_record_batch(&all, &mask).unwrap();
        let found = generate(&columns(), wanted, 123, 4_567);
        assert_eq!(lines(&found), lines(&expected), "{wanted:?}");
        if wanted.iter().filter(|wanted| **wanted).count() == 1 {
            let kind = wanted.iter().position(|wanted| *wanted).unwrap();
            assert_eq!(found.column(kind + 1).null_count(), 0);
            assert!(found.column(kind + 1).nulls().is_none());
        }
    }
}

#[test]
fn fields_do_not_depend_on_which_others_are_read() {
    let all = generate(&columns(), [true; 3], 1_000, 3_000);
    for column in &columns()[1..] {
        let TypeKind::Row(fields) = &column.ty.kind else { panic!("columns 1 to 3 are rows") };
        for one in fields {
            let read = [Field::new(&column.name, K::Row(vec![one.clone()]).nullable())];
            let alone = generate(&read, [true; 3], 1_000, 3_000);
            let (whole, alone) =
                (field(&all, &column.name, &one.name), field(&alone, &column.name, &one.name));
            assert_eq!(&whole, &alone, "{}.{}", column.name, one.name);
        }
    }
    let none = generate(&[], [true; 3], 0, 10);
    assert_eq!((none.num_rows(), none.num_columns()), (10, 0));
}

#[test]
fn bids_are_distributed_as_specified() {
    // From event 500 000 on there are more people and auctions than are active.
    let batch = generate(&columns(), [false, false, true], 500_000, 900_000);
    let rows = batch.num_rows() as f64;
    assert_eq!(batch.num_rows(), 368_000);
    let share = |count: usize| count as f64 / rows;
    let auctions = longs(&batch, "bid", "auction");
    let hot = auctions.iter().filter(|id| *id % 100 == 0).count();
    assert!((0.50..0.52).contains(&share(hot)), "{}", share(hot));
    let bidders = longs(&batch, "bid", "bidder");
    let hot = bidders.iter().filter(|id| *id % 100 == 1).count();
    assert!((0.74..0.77).contains(&share(hot)), "{}", share(hot));
    let prices = longs(&batch, "bid", "price");
    let below = |limit: i64| share(prices.iter().filter(|price| **price < limit).count());
    for decade in 1..6 {
        let expected = f64::from(decade) / 6.0;
        assert!((below(10_i64.pow(decade as u32 + 2)) - expected).abs() < 0.005, "decade {decade}");
    }
    let channels = field(&batch, "bid", "channel");
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for channel in channels.as_string_view().iter().flatten() {
        *counts.entry(channel).or_default() += 1;
    }
    assert_eq!(counts.len(), 10_004);
    for hot in ["Google", "Facebook", "Baidu", "Apple"] {
        assert!((0.12..0.13).contains(&share(counts[hot])), "{hot}");
    }
    let extra: usize =
        field(&batch, "bid", "extra").as_string_view().iter().flatten().map(str::len).sum();
    assert!((66.0..70.0).contains(&(extra as f64 / rows)));
}

#[test]
fn bids_refer_to_auctions_and_people_around() {
    let batch = generate(&columns(), [false, false, true], 50_000, 150_000);
    let (auctions, bidders) = (longs(&batch, "bid", "auction"), longs(&batch, "bid", "bidder"));
    for (index, (auction, bidder)) in auctions.iter().zip(&bidders).enumerate() {
        let block = 1_000 + index as i64 / 46;
        let (last_auction, last_person) = (block * 3 + 2 + 1000, block + 2000);
        assert!(
            (last_auction - 200..=last_auction + 10).contains(auction),
            "bid {index}: auction {auction}"
        );
        assert!(
            (last_person - 1_000..=last_person + 10).contains(bidder),
            "bid {index}: bidder {bidder}"
        );
    }
}

#[test]
fn auctions_are_distributed_as_specified() {
    let batch = generate(&columns(), [false, true, false], 500_000, 1_000_000);
    let rows = batch.num_rows();
    assert_eq!(rows, 30_000);
    let sellers = longs(&batch, "auction", "seller");
    let hot = sellers.iter().filter(|id| *id % 100 == 0).count() as f64 / rows as f64;
    assert!((0.74..0.77).contains(&hot), "{hot}");
    let (initial, reserve) =
        (longs(&batch, "auction", "initialBid"), longs(&batch, "auction", "reserve"));
    assert!(initial.iter().zip(&reserve).all(|(initial, reserve)| reserve - initial >= 100));
    assert!(longs(&batch, "auction", "category").iter().all(|id| (10..15).contains(id)));
    let times = |name| {
        field(&batch, "auction", name).as_primitive::<TimestampMillisecondType>().values().to_vec()
    };
    let open: Vec<i64> =
        times("expires").iter().zip(times("dateTime")).map(|(end, start)| end - start).collect();
    // 100 auctions take 1 666 events, 166 or 167 ms at 10 000 events per second.
    assert!(open.iter().all(|ms| (1..=334).contains(ms)));
    let average = open.iter().sum::<i64>() as f64 / rows as f64;
    assert!((160.0..174.0).contains(&average), "{average}");
    let texts = ["itemName", "description", "extra"].map(|name| field(&batch, "auction", name));
    let bytes: usize = texts
        .iter()
        .map(|array| array.as_string_view().iter().flatten().map(str::len).sum::<usize>())
        .sum();
    let size = bytes as f64 / rows as f64 + 48.0;
    assert!((490.0..510.0).contains(&size), "{size}");
}
