//! Topics that are made, and compared with what is wanted.

use std::collections::BTreeMap;

use tidegate_connector_spec::data_source::data_source;
use tidegate_connectors::probe::topics::Wanted;

use super::kafka::plain;
use super::source::own_name;

fn wanted(name: &str, options: &[(&str, &str)]) -> Wanted {
    let options: BTreeMap<String, String> =
        options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Wanted::new(data_source("kafka").unwrap(), name, &options).unwrap()
}

#[tokio::test]
async fn d1_a_topic_is_made_once_and_compared_afterwards() {
    let (source, name) = (plain(), own_name("made"));
    let options = [
        ("topic.partitions", "3"),
        ("topic.replication-factor", "1"),
        ("topic.retention", "1 d"),
        ("topic.cleanup-policy", "compact,delete"),
    ];
    let asked = wanted(&name, &options);
    let error = source.probe().topic(&asked, false).await.unwrap_err().to_string();
    assert!(error.contains(&name), "{error}");

    let made = source.probe().topic(&asked, true).await.unwrap();
    assert!(made.created);
    assert_eq!((made.partitions, made.replication), (3, 1));
    assert_eq!(made.differences, []);
    assert_eq!(made.readable, Some(true));
    let again = source.probe().topic(&asked, true).await.unwrap();
    assert!(!again.created && again.differences.is_empty(), "{again:?}");

    let other = wanted(&name, &[("topic.partitions", "4"), ("topic.retention", "2 d")]);
    let found = source.probe().topic(&other, true).await.unwrap();
    let shown: Vec<String> = found
        .differences
        .iter()
        .map(|one| format!("{}: {} instead of {}", one.what, one.found, one.wanted))
        .collect();
    let expected = ["partitions: 3 instead of 4", "retention.ms: 86400000 instead of 172800000"];
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn d1_a_topic_that_the_brokers_refuse_is_told() {
    let (source, name) = (plain(), own_name("refused"));
    let asked = wanted(&name, &[("topic.replication-factor", "5")]);
    let error = source.probe().topic(&asked, true).await.unwrap_err().to_string();
    assert!(error.contains(&name) && error.contains("replication-factor"), "{error}");
    let options = BTreeMap::from([("topic.partitions".to_owned(), "0".to_owned())]);
    assert!(Wanted::new(data_source("kafka").unwrap(), &name, &options).is_err());
}
