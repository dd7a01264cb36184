//! The message that a table's options name.

use std::path::Path;

use prost_reflect::{DescriptorPool, FileDescriptor, MessageDescriptor};
use protox::file::{
    ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver,
};
use tidegate_connector_spec::FormatOptions;
use tidegate_types::{Error, ErrorCode, Result};

/// Name of a schema that stands in the options.
const INLINE: &str = "schema.proto";
/// Most names of messages in an error.
const MAX_NAMES: usize = 20;

/// The message of a table.
///
/// # Errors
/// `INVALID_OPTION` if it cannot be found, or its description is wrong.
pub(super) fn message(options: &FormatOptions) -> Result<MessageDescriptor> {
    let pool = pool(options)?;
    const NAME: &str = "message-class-name";
    let key = options.full_key(NAME);
    let invalid = |message: String| Error::new(ErrorCode::InvalidOption, message);
    let name = options.text(NAME).ok_or_else(|| {
        invalid(format!("the option '{key}' is needed"))
            .help("the name of the message, such as shop.Order, or of its Java class")
    })?;
    if let Some(found) = pool.get_message_by_name(name) {
        return Ok(found);
    }
    let dotted = name.replace('$', ".");
    let by_class = pool.all_messages().find(|message| class_name(message) == dotted);
    by_class.ok_or_else(|| {
        let known: Vec<_> = pool
            .all_messages()
            .filter(|message| message.package_name() != "google.protobuf")
            .map(|message| message.full_name().to_owned())
            .take(MAX_NAMES)
            .collect();
        invalid(format!("option '{key}': there is no message '{name}'"))
            .help(format!("the messages are {}", known.join(", ")))
    })
}

fn pool(options: &FormatOptions) -> Result<DescriptorPool> {
    let (schema, set) = ("schema", "descriptor-set");
    let invalid = |key: &str, why: String| {
        let key = options.full_key(key);
        Error::new(ErrorCode::InvalidOption, format!("option '{key}': {why}"))
    };
    match (options.text(schema), options.text(set)) {
        (Some(text), None) => compile(text).map_err(|error| invalid(schema, error)),
        (None, Some(path)) => {
            let bytes = std::fs::read(path);
            let bytes = bytes.map_err(|error| invalid(set, format!("{path}: {error}")))?;
            DescriptorPool::decode(bytes.as_slice()).map_err(|error| {
                invalid(set, format!("{path}: {error}"))
                    .help("make it with: protoc --include_imports --descriptor_set_out=FILE …")
            })
        }
        (given, _) => {
            let keys = (options.full_key(schema), options.full_key(set));
            let how = if given.is_some() { "one of" } else { "either" };
            let message = format!("set {how} '{}' and '{}'", keys.0, keys.1);
            Err(Error::new(ErrorCode::InvalidOption, message).help(
                "Flink takes the class from its classpath; here the .proto file describes the message",
            ))
        }
    }
}

/// Compiles a .proto file: its text, or its path.
fn compile(text: &str) -> std::result::Result<DescriptorPool, String> {
    let mut files = ChainFileResolver::new();
    let trimmed = text.trim();
    let name = if trimmed.ends_with(".proto") && !trimmed.contains(['\n', ';', '{']) {
        let path = Path::new(trimmed);
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        files.add(IncludeFileResolver::new(folder.unwrap_or(Path::new(".")).to_path_buf()));
        path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    } else {
        files.add(Inline(text.to_owned()));
        INLINE.to_owned()
    };
    files.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(files);
    compiler.include_imports(true);
    compiler.open_file(&name).map_err(|error| format!("{error:?}"))?;
    Ok(compiler.descriptor_pool())
}

/// A file that stands in the options.
struct Inline(String);

impl FileResolver for Inline {
    fn open_file(&self, name: &str) -> std::result::Result<File, protox::Error> {
        match name {
            INLINE => File::from_source(name, &self.0),
            other => Err(protox::Error::file_not_found(other)),
        }
    }
}

/// The name of the class that protoc makes for Java, with dots only.
fn class_name(message: &MessageDescriptor) -> String {
    match message.parent_message() {
        Some(parent) => format!("{}.{}", class_name(&parent), message.name()),
        None => format!("{}{}", class_prefix(&message.parent_file()), message.name()),
    }
}

fn class_prefix(file: &FileDescriptor) -> String {
    let proto = file.file_descriptor_proto();
    let options = proto.options.as_ref();
    let package = options.and_then(|options| options.java_package.clone());
    let package = package.unwrap_or_else(|| file.package_name().to_owned());
    let dot = if package.is_empty() { "" } else { "." };
    if options.is_some_and(|options| options.java_multiple_files()) {
        return format!("{package}{dot}");
    }
    let outer = options.and_then(|options| options.java_outer_classname.clone());
    let outer = outer.unwrap_or_else(|| {
        let name = file.name().rsplit('/').next().unwrap_or_default();
        let name = camel_case(name.split('.').next().unwrap_or_default());
        let taken = file.messages().any(|message| message.name() == name)
            || file.enums().any(|known| known.name() == name)
            || file.services().any(|service| service.name() == name);
        if taken { format!("{name}OuterClass") } else { name }
    });
    format!("{package}{dot}{outer}.")
}

/// `foo_bar2baz` as `FooBar2Baz`.
fn camel_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut upper = true;
    for character in name.chars() {
        match character {
            'a'..='z' if upper => out.push(character.to_ascii_uppercase()),
            'a'..='z' | 'A'..='Z' => out.push(character),
            '0'..='9' => out.push(character),
            _ => {}
        }
        upper = !character.is_ascii_alphabetic();
    }
    out
}
