//! What is taken and what is refused, with bounds small enough to reach.

use std::io::{Cursor, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::EntryType as EntryKind;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

const SMALL: Limits = Limits { entries: 20, bytes: 4 << 20, ratio: 100, free: 64 << 10, name: 100 };

fn inspected(kind: ResourceKind, file_name: &str, content: &[u8]) -> Result<String> {
    let sha256 = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
    let file_name = file_name.to_owned();
    let claim = Claim { kind, file_name, sha256, bytes: content.len() as u64 };
    look(Cursor::new(content.to_vec()), &claim, SMALL)
}

fn package(file_name: &str, content: &[u8]) -> Result<String> {
    inspected(ResourceKind::Package, file_name, content)
}

fn data(file_name: &str, content: &[u8]) -> Result<String> {
    inspected(ResourceKind::TestData, file_name, content)
}

fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn gz(content: &[u8]) -> Vec<u8> {
    let mut gz = GzEncoder::new(Vec::new(), Compression::best());
    gz.write_all(content).unwrap();
    gz.finish().unwrap()
}

fn tar_entry(tar: &mut tar::Builder<Vec<u8>>, name: &str, kind: EntryKind, content: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    // As whoever wants to do harm writes it: the library refuses such names.
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    if kind == EntryKind::Symlink {
        header.set_link_name("/etc/passwd").unwrap();
    }
    header.set_cksum();
    tar.append(&header, content).unwrap();
}

fn tar_gz(entries: &[(&str, EntryKind, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, kind, content) in entries {
        tar_entry(&mut tar, name, *kind, content);
    }
    gz(&tar.into_inner().unwrap())
}

/// Bytes that cannot be packed.
fn noise(count: usize) -> Vec<u8> {
    let mut seed = 1_u32;
    let next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn refused_for(result: Result<String>, code: ErrorCode, part: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.code(), code, "{error}");
    assert!(error.to_string().contains(part), "{error}");
}

#[test]
fn j8_files_are_what_their_names_say() {
    let jar = zip(&[("META-INF/MANIFEST.MF", b"Manifest-Version: 1.0\n"), ("a/B.class", b"x")]);
    assert_eq!(package("udf.jar", &jar).unwrap(), "jar");
    assert_eq!(package("udf.ZIP", &jar).unwrap(), "zip");
    let wheel = zip(&[("x-1.dist-info/METADATA", b"Name: x\n")]);
    assert_eq!(package("x-1-py3-none-any.whl", &wheel).unwrap(), "whl");
    assert_eq!(package("m.wasm", b"\0asm\x01\0\0\0").unwrap(), "wasm");
    assert_eq!(package("f.py", "print('é')\n".as_bytes()).unwrap(), "py");
    let tar = tar_gz(&[("a", EntryKind::Directory, b""), ("a/b", EntryKind::Regular, b"hello")]);
    assert_eq!(package("x.tar.gz", &tar).unwrap(), "tar.gz");
    assert_eq!(data("x.tgz", &tar).unwrap(), "tgz");
    assert_eq!(data("x.jsonl", b"{\"a\":1}\n{\"a\":2}\n").unwrap(), "jsonl");
    assert_eq!(data("x.json.gz", &gz(b"[1, 2]")).unwrap(), "json.gz");
    assert_eq!(data("x.csv", b"a,b\n1,2\n").unwrap(), "csv");
    assert_eq!(data("x.csv.gz", &gz(b"a,b\n1,2\n")).unwrap(), "csv.gz");
    assert_eq!(data("x.avro", b"Obj\x01rest").unwrap(), "avro");
    assert_eq!(data("x.parquet", b"PAR1....PAR1").unwrap(), "parquet");
    assert_eq!(data("x.orc", b"ORC....").unwrap(), "orc");
}

#[test]
fn j8_what_is_not_what_its_name_says_is_refused() {
    use ErrorCode::InvalidOption as Invalid;
    refused_for(package("x.csv", b"a"), Invalid, "no name of a file that is package");
    refused_for(data("x.jar", b"a"), Invalid, "no name of a file that is test-data");
    refused_for(package("x.jar", b"PK not really"), Invalid, "not a zip archive");
    let plain = zip(&[("readme.txt", b"x")]);
    refused_for(package("x.jar", &plain), Invalid, "neither META-INF nor classes");
    refused_for(package("x.whl", &plain), Invalid, "no .dist-info");
    refused_for(package("x.wasm", b"MZ"), Invalid, "not a WebAssembly module");
    refused_for(package("x.py", b"a\0b"), Invalid, "byte 1 is zero");
    refused_for(data("x.csv", b"a,\xff"), Invalid, "byte 2 is not UTF-8");
    refused_for(data("x.csv", b"caf\xc3"), Invalid, "byte 3 is not UTF-8");
    refused_for(data("x.json", b"{\"a\":}"), Invalid, "not JSON");
    refused_for(data("x.json", b"  \n"), Invalid, "no JSON");
    refused_for(data("x.json.gz", b"{}"), Invalid, "cannot be read");
    refused_for(data("x.parquet", b"PAR1 cut off"), Invalid, "not a whole Parquet file");
    refused_for(data("x.parquet", b"P"), Invalid, "not a Parquet file");
    refused_for(data("x.tar.gz", &gz(b"")), Invalid, "not a tar archive");
    refused_for(data("x.tar.gz", &gz(&[7; 2_000])), Invalid, "tar.gz");
    let claim = Claim {
        kind: ResourceKind::TestData,
        file_name: "x.csv".to_owned(),
        sha256: "0".repeat(64),
        bytes: 1,
    };
    refused_for(look(Cursor::new(b"a".to_vec()), &claim, SMALL), Invalid, "announced was 0000");
}

#[test]
fn j8_characters_may_be_cut_anywhere() {
    // Longer than what is read at once, and the pieces end within characters.
    let text = format!("a{}", "é€😀".repeat(20_000));
    assert_eq!(data("x.txt", text.as_bytes()).unwrap(), "txt");
}

#[test]
fn j8_archives_that_unpack_to_too_much_are_refused() {
    use ErrorCode::ResourceExhausted as Exhausted;
    let zeros = vec![0; 3 << 20];
    refused_for(package("x.zip", &zip(&[("zeros", &zeros)])), Exhausted, "more than 100 times");
    refused_for(
        data("x.tgz", &tar_gz(&[("z", EntryKind::Regular, &zeros)])),
        Exhausted,
        "100 times",
    );
    refused_for(data("x.txt.gz", &gz(&[b'a'; 3 << 20])), Exhausted, "more than 100 times");
    // One in the other: what the inner one would unpack to is not counted, what the outer one does is.
    let inner = zip(&[("zeros", &zeros)]);
    let copies: Vec<(String, &[u8])> =
        (0..19).map(|n| (format!("{n}.zip"), inner.as_slice())).collect();
    let copies: Vec<(&str, &[u8])> = copies.iter().map(|(n, b)| (n.as_str(), *b)).collect();
    let packed = zip(&[("all.zip", &zip(&copies))]);
    assert_eq!(package("x.zip", &packed).unwrap(), "zip");
    let wide = zip(&[("a.zip", &zip(&[("zeros", &vec![0; 20 << 20])]).repeat(50))]);
    refused_for(package("x.zip", &wide), Exhausted, "more than 100 times");
    // Whatever the ratio.
    let noise = noise(5 << 20);
    refused_for(package("x.zip", &zip(&[("n", &noise)])), Exhausted, "more than 4194304 bytes");
    let many: Vec<String> = (0..21).map(|n| n.to_string()).collect();
    let entries: Vec<(&str, &[u8])> = many.iter().map(|n| (n.as_str(), &b"x"[..])).collect();
    refused_for(package("x.zip", &zip(&entries)), Exhausted, "more than 20 entries");
    let entries: Vec<_> =
        many.iter().map(|n| (n.as_str(), EntryKind::Regular, &b"x"[..])).collect();
    refused_for(package("x.tar.gz", &tar_gz(&entries)), Exhausted, "more than 20 entries");
}

#[test]
fn j8_a_zip_that_says_less_than_it_holds_is_refused() {
    // The size of the entry in the central directory is made 1.
    let content = vec![0; 3 << 20];
    let mut bytes = zip(&[("zeros", &content)]);
    let size = u32::try_from(content.len()).unwrap().to_le_bytes();
    let places: Vec<usize> =
        (0..bytes.len() - 4).filter(|at| bytes[*at..*at + 4] == size).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + 4].copy_from_slice(&1_u32.to_le_bytes());
    }
    package("x.zip", &bytes).unwrap_err();
}

#[test]
fn j8_entries_that_lead_out_are_refused() {
    use ErrorCode::InvalidOption as Invalid;
    for name in ["../x", "/etc/x", "a/../../x", "C:x", "\\\\host\\x", "a\\..\\..\\x"] {
        let result = package("x.zip", &zip(&[("ok", b"x"), (name, b"x")]));
        refused_for(result, Invalid, "leads out of the folder");
        let result = data("x.tar.gz", &tar_gz(&[(name, EntryKind::Regular, b"x")]));
        refused_for(result, Invalid, "leads out of the folder");
    }
    let mut linked = ZipWriter::new(Cursor::new(Vec::new()));
    linked.add_symlink("link", "/etc/passwd", SimpleFileOptions::default()).unwrap();
    let linked = linked.finish().unwrap().into_inner();
    refused_for(package("x.zip", &linked), Invalid, "'link' is a symbolic link");
    let linked = tar_gz(&[("link", EntryKind::Symlink, b"")]);
    refused_for(package("x.tar.gz", &linked), Invalid, "'link' is a symbolic link");
    let device = tar_gz(&[("tty", EntryKind::Char, b"")]);
    refused_for(package("x.tar.gz", &device), Invalid, "neither a file nor a folder");
    refused_for(
        package("x.zip", &zip(&[(&"n".repeat(101), b"x")])),
        Invalid,
        "more than 100 bytes",
    );
}

#[test]
fn j8_long_names_of_tar_are_looked_at_and_bounded() {
    use ErrorCode::InvalidOption as Invalid;
    let long = |name: &[u8]| {
        tar_gz(&[
            ("././@LongLink", EntryKind::GNULongName, name),
            ("short", EntryKind::Regular, b"x"),
        ])
    };
    package("x.tar.gz", &long(b"a/long/name\0")).unwrap();
    refused_for(package("x.tar.gz", &long(b"../../x\0")), Invalid, "leads out");
    refused_for(package("x.tar.gz", &long(&noise(70_000))), Invalid, "more than 65536 bytes");
    let pax = |record: &[u8]| {
        tar_gz(&[("h", EntryKind::XHeader, record), ("short", EntryKind::Regular, b"x")])
    };
    package("x.tar.gz", &pax(b"11 path=ab\n")).unwrap();
    refused_for(package("x.tar.gz", &pax(b"12 path=/ab\n")), Invalid, "leads out");
    refused_for(package("x.tar.gz", &pax(b"10 size=9\n")), Invalid, "says its size twice");
}
