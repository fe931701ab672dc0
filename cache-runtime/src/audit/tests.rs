//! The rules, over call sites made up for them.

use std::time::Duration;

use super::*;
use crate::policy::Policy;
use crate::site::Effect;

fn site(function: &'static str, effect: Effect, templates: &'static [&'static str]) -> CallSite {
    CallSite::new(function, ("src/users.rs", 7), effect, templates)
}

fn caches(function: &'static str, templates: &'static [&'static str]) -> CallSite {
    let policy = Policy::new(Duration::from_secs(3600));
    site(function, Effect::Caches(policy), templates)
}

fn drops(function: &'static str, templates: &'static [&'static str]) -> CallSite {
    site(function, Effect::Invalidates, templates)
}

static TYPES: [KeyType; 1] = [KeyType::new("shop::UserKey", "user:<id>")];

fn audit_of(sites: impl IntoIterator<Item = CallSite>) -> Audit {
    let sites = sites.into_iter().map(|site| &*Box::leak(Box::new(site)));
    Audit::of(sites, &TYPES.iter().collect::<Vec<_>>())
}

fn kinds(audit: &Audit) -> Vec<FindingKind> {
    audit.findings().iter().map(Finding::kind).collect()
}

#[test]
fn keys_in_order_are_clean() {
    let audit = audit_of([
        caches("shop::find", &["user:<id>"]),
        caches("shop::find_again", &["user:<user_id>"]),
        drops("shop::rename", &["user:<user.id>"]),
    ]);
    assert!(audit.findings().is_empty(), "{audit}");
    audit.assert_clean();
    assert_eq!(
        audit.to_string(),
        "call sites: 3, errors: 0, warnings: 0, for information: 0"
    );
}

#[test]
fn a_misspelt_invalidation_is_found_with_what_was_meant() {
    let audit = audit_of([
        caches("shop::find", &["user:<id>"]),
        drops("shop::rename", &["usr:<id>"]),
    ]);
    assert_eq!(
        kinds(&audit),
        [
            FindingKind::UnmatchedInvalidation,
            FindingKind::NeverInvalidated
        ]
    );
    let finding = &audit.findings()[0];
    assert_eq!(finding.severity(), Severity::Error);
    let functions: Vec<_> = finding.sites().map(CallSite::function).collect();
    assert_eq!(functions, ["shop::rename", "shop::find"]);
    assert_eq!(
        finding.to_string(),
        "error[unmatched_invalidation]: nothing is cached under `usr:<id>`, which is invalidated\n  \
         shop::rename invalidates `usr:<id>`, at src/users.rs:7\n  \
         shop::find caches `user:<id>` for 1h, at src/users.rs:7\n  \
         help: did you mean `user:<id>`? If not, cache something under this key, or remove the invalidation\n  \
         see `cache_runtime::guide::audit`, section `unmatched_invalidation`"
    );
}

#[test]
#[should_panic(expected = "nothing is cached under `usr:<id>`")]
fn an_audit_with_errors_fails_its_test() {
    audit_of([drops("shop::rename", &["usr:<id>"])]).assert_clean();
}

#[test]
fn an_invalidation_of_one_key_of_a_template_is_matched() {
    let audit = audit_of([
        caches("shop::find", &["user:<id>"]),
        drops("shop::reset", &["user:root"]),
    ]);
    assert_eq!(kinds(&audit), []);
}

#[test]
fn templates_that_can_make_the_same_key_are_found() {
    let audit = audit_of([
        caches("shop::find", &["user:<id>"]),
        caches("shop::me", &["user:me"]),
        drops("shop::rename", &["user:<id>"]),
    ]);
    assert_eq!(kinds(&audit), [FindingKind::OverlappingTemplates]);
    assert!(!audit.is_clean());
}

#[test]
fn one_template_has_one_type_and_one_ttl() {
    let short = Effect::Caches(Policy::new(Duration::from_secs(60)));
    let audit = audit_of([
        caches("shop::find", &["user:<id>"]).with_value_type(|| Some("shop::User")),
        site("shop::name", short, &["user:<id>"]).with_value_type(|| Some("alloc::string::String")),
        caches("shop::generic", &["user:<id>"]).with_value_type(|| None),
        drops("shop::rename", &["user:<id>"]),
    ]);
    assert_eq!(
        kinds(&audit),
        [FindingKind::DifferentValueTypes, FindingKind::DifferentTtls]
    );
    let text = audit.to_string();
    assert!(
        text.contains("is cached as shop::User and as alloc::string::String"),
        "{text}"
    );
    assert!(text.contains("is cached for 1h and for 1m"), "{text}");
    assert_eq!(
        audit.findings()[0].sites().count(),
        2,
        "an unknown type is not compared"
    );
}

#[test]
fn what_nothing_invalidates_is_information() {
    let audit = audit_of([caches("shop::find", &["user:<id>"])]);
    assert_eq!(kinds(&audit), [FindingKind::NeverInvalidated]);
    assert_eq!(audit.findings()[0].severity(), Severity::Info);
    audit.assert_clean();
}

#[test]
fn a_function_that_allows_a_finding_takes_no_part_in_it() {
    use FindingKind::{
        DifferentTtls, NeverInvalidated, OverlappingTemplates, UnmatchedInvalidation,
    };
    let short = Effect::Caches(Policy::new(Duration::from_secs(60)));
    let audit = audit_of([
        caches("shop::find", &["user:<id>"]).with_allowed(&[NeverInvalidated]),
        site("shop::peek", short, &["user:<id>"]).with_allowed(&[DifferentTtls, NeverInvalidated]),
        caches("shop::me", &["user:me"]).with_allowed(&[OverlappingTemplates, NeverInvalidated]),
        drops("shop::rename", &["usr:<id>"]).with_allowed(&[UnmatchedInvalidation]),
    ]);
    assert_eq!(kinds(&audit), [], "{audit}");
}

#[test]
fn typed_keys_count_by_the_template_of_their_type() {
    let audit = audit_of([
        caches("shop::find", &["UserKey { id }"]).with_typed_keys(&[(0, "UserKey")]),
        drops("shop::rename", &["user:<id>"]),
    ]);
    assert_eq!(kinds(&audit), [], "{audit}");
    assert!(audit.map().uses().all(|one| one.key() == "user:<id>"));
}

#[test]
fn a_typed_key_of_an_unknown_type_is_given_the_benefit_of_the_doubt() {
    let audit = audit_of([
        caches("shop::find", &["key_of(id)"]).with_typed_keys(&[(0, "")]),
        drops("shop::rename", &["user:<id>"]),
    ]);
    assert_eq!(kinds(&audit), [FindingKind::UnmatchedInvalidation]);
    assert_eq!(audit.findings()[0].severity(), Severity::Info);
    assert!(audit.to_string().contains("`key_of(id)` of shop::find"));
}

#[test]
fn the_map_is_a_table_and_two_graphs() {
    let audit = audit_of([
        caches("shop::find", &["user:<id>"]).with_value_type(|| Some("shop::User")),
        drops("shop::rename", &["user:<id>", "users"]),
    ]);
    assert_eq!(
        audit.map().to_string(),
        "key        effect       ttl  function      where           value\n\
         user:<id>  caches       1h   shop::find    src/users.rs:7  shop::User\n\
         user:<id>  invalidates       shop::rename  src/users.rs:7\n\
         users      invalidates       shop::rename  src/users.rs:7\n"
    );
    assert_eq!(
        audit.map().to_mermaid(),
        "flowchart LR\n    \
         f0[\"shop::find\"]\n    \
         f1[\"shop::rename\"]\n    \
         k0([\"user:#60;id#62;\"])\n    \
         k1([\"users\"])\n    \
         f0 -->|\"caches 1h\"| k0\n    \
         f1 -.->|\"invalidates\"| k0\n    \
         f1 -.->|\"invalidates\"| k1\n"
    );
    assert_eq!(
        audit.map().to_dot(),
        "digraph keys {\n    \
         rankdir=LR;\n    \
         f0 [shape=box, label=\"shop::find\"];\n    \
         f1 [shape=box, label=\"shop::rename\"];\n    \
         k0 [shape=ellipse, label=\"user:<id>\"];\n    \
         k1 [shape=ellipse, label=\"users\"];\n    \
         f0 -> k0 [label=\"caches 1h\"];\n    \
         f1 -> k0 [label=\"invalidates\", style=dashed];\n    \
         f1 -> k1 [label=\"invalidates\", style=dashed];\n\
         }\n"
    );
}
