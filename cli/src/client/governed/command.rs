//! The commands themselves.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Args, Command};
use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MethodDescriptor};

use super::arguments::{self, Argument, Form, Position};
use super::names;
use crate::args::ClientOptions;
use crate::client::resource::with_transfers;

/// The argument that is given by position.
pub(super) const POSITION: &str = "position of the call";
/// A file with the whole request.
pub(super) const REQUEST: &str = "request";

static POOL: LazyLock<Option<DescriptorPool>> =
    LazyLock::new(|| DescriptorPool::decode(tidegate_proto::DESCRIPTORS).ok());

/// Adds the commands.
pub(crate) fn with_api(mut command: Command) -> Command {
    let Some(pool) = POOL.as_ref() else { return command };
    let mut nouns: BTreeMap<String, Vec<(String, MethodDescriptor)>> = BTreeMap::new();
    for method in names::methods(pool) {
        let (noun, verb) = names::of(&method);
        nouns.entry(noun).or_default().push((verb, method));
    }
    for (noun, methods) in nouns {
        let about = methods.first().and_then(|(_, method)| first_sentence(&service_help(method)));
        let mut group =
            Command::new(noun.clone()).subcommand_required(true).arg_required_else_help(true);
        // Its own words, not those of the options that every command takes.
        group =
            ClientOptions::augment_args(group).about(about.unwrap_or_default()).long_about(None);
        for (verb, method) in methods {
            group = group.subcommand(of(&noun, &verb, &method));
        }
        if noun == "resource" {
            group = with_transfers(group);
        }
        command = command.subcommand(group);
    }
    command
}

/// The method that a command line names, with the arguments of its command.
pub(super) fn method(matches: &ArgMatches) -> Option<(MethodDescriptor, &ArgMatches)> {
    let (noun, of_noun) = matches.subcommand()?;
    let (verb, of_verb) = of_noun.subcommand()?;
    let mut methods = names::methods(POOL.as_ref()?);
    let found = methods.find(|method| {
        let (its_noun, its_verb) = names::of(method);
        its_noun == noun && its_verb == verb
    })?;
    Some((found, of_verb))
}

fn of(noun: &str, verb: &str, method: &MethodDescriptor) -> Command {
    let help =
        comment(method.path(), &method.parent_file().file_descriptor_proto().source_code_info);
    let help = if help.is_empty() { format!("{verb} a {}", noun.replace('-', " ")) } else { help };
    let mut command = Command::new(verb.to_owned())
        .about(first_sentence(&help).unwrap_or_default())
        .long_about(help);
    match arguments::position(method) {
        Position::Name(_) => {
            let help = format!(
                "Its id, or its full name ({})",
                names::full(noun, "ID", "TENANT", "PROJECT", "DATABASE")
            );
            command = command.arg(Arg::new(POSITION).value_name("NAME").help(help).required(true));
        }
        Position::Id(field) => {
            let help = field_help(&field);
            command = command.arg(Arg::new(POSITION).value_name("ID").help(help).required(true));
        }
        Position::None => {}
    }
    let scoped = names::has(noun, "{tenant}") || matches!(noun, "project");
    if scoped {
        let tenant = Arg::new("tenant").long("tenant").value_name("ID").default_value("default");
        command = command.arg(tenant.env("TIDEGATE_TENANT").help("The tenant."));
    }
    if names::has(noun, "{database}") {
        let database =
            Arg::new("database").long("database").value_name("ID").default_value("default");
        command =
            command.arg(database.help("The database; topics are in `default`, `-` lists all."));
    }
    if method.input().get_field_by_name("parent").is_some() {
        let parent = Arg::new("parent").long("parent").value_name("NAME");
        command = command.arg(
            parent.help("What it is in, as a full name; by default as --project and --tenant say."),
        );
    }
    for argument in arguments::arguments(method) {
        if ["project", "tenant", "database", "output", "parent"].contains(&argument.flag.as_str()) {
            continue;
        }
        command = command.arg(flag(&argument));
    }
    let file = Arg::new(REQUEST).long("request").value_name("FILE");
    command.arg(file.help(
        "The whole request as JSON in a file, `-` for standard input; arguments count over it.",
    ))
}

fn flag(argument: &Argument) -> Arg {
    let field = argument.way.last();
    let help = field.map(field_help).unwrap_or_default();
    let arg = Arg::new(argument.flag.clone()).long(argument.flag.clone()).help(help);
    match argument.form {
        Form::Flag => arg
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .value_parser(clap::value_parser!(bool)),
        Form::Pairs => arg.action(ArgAction::Append).value_name("KEY=VALUE"),
        Form::Many => words(arg.action(ArgAction::Append), field),
        Form::Time => arg.value_name("RFC3339"),
        Form::Json => arg.value_name("JSON"),
        Form::One => words(arg, field),
    }
}

/// An argument that takes one of some words, or a text or number.
fn words(arg: Arg, field: Option<&FieldDescriptor>) -> Arg {
    match field.map(FieldDescriptor::kind) {
        Some(Kind::Enum(kind)) => {
            let values = kind.values().filter(|value| value.number() != 0);
            let names: Vec<String> =
                values.map(|value| names::kebab(&value.name().to_lowercase())).collect();
            arg.value_parser(PossibleValuesParser::new(names))
        }
        Some(Kind::String) => arg.value_name("TEXT"),
        Some(_) => arg.value_name("N"),
        None => arg,
    }
}

fn field_help(field: &FieldDescriptor) -> String {
    comment(field.path(), &field.parent_file().file_descriptor_proto().source_code_info)
}

fn service_help(method: &MethodDescriptor) -> String {
    let service = method.parent_service();
    comment(service.path(), &service.parent_file().file_descriptor_proto().source_code_info)
}

/// What a `.proto` file says above something.
fn comment(path: &[i32], info: &Option<prost_types::SourceCodeInfo>) -> String {
    let locations = info.as_ref().map(|info| info.location.as_slice()).unwrap_or_default();
    let found = locations.iter().find(|location| location.path == path);
    let text = found.and_then(|location| location.leading_comments.clone()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.join(" ").trim().to_owned()
}

fn first_sentence(text: &str) -> Option<String> {
    let end = text.find(". ").unwrap_or(text.len());
    Some(text[..end].trim_end_matches('.').to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_commands_fit_together() {
        let command = with_api(<crate::args::Args as clap::CommandFactory>::command());
        command.debug_assert();
    }

    #[test]
    fn methods_are_found_by_noun_and_verb_and_say_what_they_do() {
        let command = with_api(<crate::args::Args as clap::CommandFactory>::command());
        let matches = command.clone().try_get_matches_from([
            "tidegate",
            "table",
            "publish",
            "orders",
            "--environment",
            "test",
        ]);
        let matches = matches.unwrap();
        let (method, _) = method(&matches).unwrap();
        assert_eq!(method.full_name(), "tidegate.v1.TableService.PublishTable");
        let table = command.find_subcommand("table").unwrap();
        let publish = table.find_subcommand("publish").unwrap();
        assert!(publish.get_long_about().unwrap().to_string().contains("approval"));
    }
}
