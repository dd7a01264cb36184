//! The whole matrix: every role × every method × (own project, other project, other tenant, nobody), through the gate.
//! What is expected comes from the policy and the descriptors alone.

use prost_reflect::{DynamicMessage, FieldDescriptor, Value};
use tidegate_catalog::Scope as Held;
use tidegate_proto::access::Scope;
use tidegate_security::policy::{ANONYMOUS, AUTHENTICATED, TENANT_MEMBER};
use tidegate_security::{Level, Policy};

use super::accounts::{user, world};
use super::*;

/// Where a call is made to, from a caller of the tenant `acme` whose project is `own`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    OwnProject,
    OtherProject,
    OwnTenant,
    OtherTenantsProject,
    OtherTenant,
}

const TARGETS: [(Target, &str); 5] = [
    (Target::OwnProject, "projects/own"),
    (Target::OtherProject, "projects/other"),
    (Target::OwnTenant, "tenants/acme"),
    (Target::OtherTenantsProject, "projects/theirs"),
    (Target::OtherTenant, "tenants/rival"),
];

/// A caller: a role, and where it is held; none is an account without roles.
struct Holder {
    name: String,
    role: Option<String>,
    level: Option<Level>,
    token: Option<String>,
}

/// Who calls: every role at every level that it can be given at, an account without any, and nobody.
fn holders(world: &Alone) -> Vec<Holder> {
    let mut holders =
        vec![Holder { name: "nobody".to_owned(), role: None, level: None, token: None }];
    let bare = user("acme", "bare");
    world.account(&bare, None);
    let token = Some(bare.to_string());
    holders.push(Holder {
        name: "an account without roles".to_owned(),
        role: None,
        level: None,
        token,
    });
    for (role, spec) in Policy::shipped().unwrap().roles() {
        for level in &spec.assignable {
            let (scope, tenant) = match level {
                Level::System => (Held::System, "default"),
                Level::Tenant => (Held::Tenant("acme".to_owned()), "acme"),
                Level::Project => (Held::Project("own".to_owned()), "acme"),
                Level::Token => continue,
            };
            let account = user(tenant, &format!("{role}-{}", level.as_str()));
            world.account(&account, Some((scope, role)));
            holders.push(Holder {
                name: format!("{role} ({})", level.as_str()),
                role: Some(role.to_owned()),
                level: Some(*level),
                token: Some(account.to_string()),
            });
        }
    }
    holders
}

/// What must be answered, from the policy alone.
fn expected(holder: &Holder, method: &Method, permission: &str, target: Option<Target>) -> Code {
    let policy = Policy::shipped().unwrap();
    let by_role = |role: &str| policy.allows(role, permission);
    let held = holder.role.as_deref().is_some_and(by_role);
    if holder.token.is_none() {
        let allowed = matches!(method.scope, Scope::Any) && by_role(ANONYMOUS);
        return if allowed { Code::Ok } else { Code::Unauthenticated };
    }
    let in_acme = holder.level != Some(Level::System);
    match (&method.scope, target) {
        (Scope::Any, _) => {
            let everybody = [ANONYMOUS, AUTHENTICATED, TENANT_MEMBER].into_iter().any(by_role);
            if held || everybody { Code::Ok } else { Code::PermissionDenied }
        }
        (Scope::System, _) => {
            let allowed = held && holder.level == Some(Level::System);
            if allowed { Code::Ok } else { Code::PermissionDenied }
        }
        (Scope::Field(_), Some(target)) => {
            let foreign = matches!(target, Target::OtherTenant | Target::OtherTenantsProject);
            if foreign && in_acme {
                return Code::NotFound;
            }
            let reaches = match holder.level {
                Some(Level::System) => true,
                Some(Level::Tenant) => !foreign,
                Some(Level::Project) => target == Target::OwnProject,
                Some(Level::Token) | None => false,
            };
            let as_member = in_acme && !foreign && by_role(TENANT_MEMBER);
            if (held && reaches) || as_member { Code::Ok } else { Code::PermissionDenied }
        }
        (Scope::Field(_), None) => unreachable!("every target is tried"),
    }
}

/// A request about a target.
fn request(method: &Method, target: &str) -> Vec<u8> {
    fn set(message: &mut DynamicMessage, way: &[FieldDescriptor], text: &str) {
        let Some((first, rest)) = way.split_first() else { return };
        if rest.is_empty() {
            message.set_field(first, Value::String(text.to_owned()));
            return;
        }
        let mut inner = match message.get_field(first).as_ref() {
            Value::Message(inner) => inner.clone(),
            other => panic!("{other:?} is no message"),
        };
        set(&mut inner, rest, text);
        message.set_field(first, Value::Message(inner));
    }
    let mut message = DynamicMessage::new(method.input.clone());
    if let Scope::Field(way) = &method.scope {
        set(&mut message, way, target);
    }
    let bytes = message.encode_to_vec();
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    [&[0], length.as_slice(), &bytes].concat()
}

#[tokio::test]
async fn b4_b5_every_role_may_what_the_policy_says_and_nothing_else() {
    let world = world();
    let holders = holders(&world);
    let gate = gate(Asked::default(), &world);
    let (mut cells, mut allowed, mut wrong) = (0_u32, 0_u32, Vec::new());
    let methods = gate.0.methods.clone();
    for (path, method) in &methods {
        let Access::Permission(permission) = &method.access else { continue };
        for holder in &holders {
            let targets: Vec<(Option<Target>, &str)> = match &method.scope {
                Scope::Field(_) => {
                    TARGETS.iter().map(|(target, name)| (Some(*target), *name)).collect()
                }
                Scope::Any | Scope::System => vec![(None, "")],
            };
            for (target, name) in targets {
                let body = Body::new(http_body_util::Full::new(request(method, name).into()));
                let asked = call(path, holder.token.as_deref()).body(body).unwrap();
                let status = pass(&gate, &Behind::default(), asked).await;
                let expected = expected(holder, method, permission, target);
                cells += 1;
                allowed += u32::from(status.code() == Code::Ok);
                if status.code() != expected {
                    wrong.push(format!(
                        "{} · {} · {name}: {:?} instead of {expected:?}",
                        holder.name,
                        method.name,
                        status.code()
                    ));
                }
            }
        }
    }
    let unexpected = wrong.iter().filter(|line| line.contains(": Ok instead of")).count();
    println!(
        "{cells} cells, {allowed} allowed, {unexpected} unexpected allows, {} wrong",
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cells > 2_000, "{cells}");
}
