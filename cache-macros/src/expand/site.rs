//! The call site that an annotation registers with the linker.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::{Expr, Path, Type};

use super::value_type::value_type;
use crate::args::allow::Findings;
use crate::check::{Key, Resolved};
use crate::function::Function;

/// Writes `&'static CallSite`.
pub(super) struct Site<'a> {
    pub(super) runtime: &'a TokenStream,
    pub(super) function: &'a Function,
    pub(super) effect: TokenStream,
    pub(super) keys: &'a [Key],
    /// Keys that stand for all that begin so.
    pub(super) patterns: &'a [Resolved],
    pub(super) tags: &'a [Resolved],
    /// What the function returns, if that is put under its keys.
    pub(super) value: Option<&'a Type>,
    /// Whether that is a map of what is put there.
    pub(super) is_batch: bool,
    pub(super) allow: &'a Findings,
}

// Output:
//     {
//         static SITE: CallSite = CallSite::new("…::find_user", (file!(), line!()), effect, &["UserKey { id }"])
//             .with_typed_keys(&[(0, "UserKey")])
//             .with_value_type(…)
//             .with_allowed(&[FindingKind::NeverInvalidated]);
//         &SITE
//     }
impl ToTokens for Site<'_> {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let here = Span::mixed_site();
        let Self {
            runtime,
            function,
            effect,
            keys,
            patterns,
            tags,
            value,
            is_batch,
            allow,
        } = self;
        let name = syn::ext::IdentExt::unraw(&function.sig.ident).to_string();
        let templates = keys.iter().map(|key| match key {
            Key::Template(template) => {
                let text = template.literal.value();
                quote_spanned!(here=> #text)
            }
            Key::Typed(key) => quote_spanned!(here=> ::core::stringify!(#key)),
        });
        let patterns = patterns.iter().map(|pattern| {
            let text = pattern.literal.value();
            quote_spanned!(here=> #text)
        });
        let templates = templates.chain(patterns);
        // A blank can stand in no template, so that no key is taken for a tag.
        let tags = tags
            .iter()
            .map(|tag| format!("tag {}", tag.literal.value()));
        let tags: Vec<String> = tags.collect();
        let tags = (!tags.is_empty()).then(|| quote_spanned!(here=> .with_tags(&[#(#tags),*])));
        let typed: Vec<TokenStream> = keys
            .iter()
            .enumerate()
            .filter_map(|(index, key)| match key {
                Key::Template(_) => None,
                Key::Typed(key) => {
                    let path = type_of(key).unwrap_or_default();
                    Some(quote_spanned!(here=> (#index, #path)))
                }
            })
            .collect();
        let typed =
            (!typed.is_empty()).then(|| quote_spanned!(here=> .with_typed_keys(&[#(#typed),*])));
        let value_type = value
            .and_then(|value| value_type(runtime, function, value, *is_batch))
            .map(|value_type| quote_spanned!(here=> .with_value_type(#value_type)));
        let allowed = &allow.0;
        let allowed = (!allowed.is_empty())
            .then(|| quote_spanned!(here=> .with_allowed(&[#(#runtime::FindingKind::#allowed),*])));
        tokens.extend(quote_spanned! {here=> {
            #[#runtime::linkme::distributed_slice(#runtime::CALL_SITES)]
            #[linkme(crate = #runtime::linkme)]
            static SITE: #runtime::CallSite = #runtime::CallSite::new(
                ::core::concat!(::core::module_path!(), "::", #name),
                (::core::file!(), ::core::line!()),
                #effect,
                &[#(#templates),*],
            ) #typed #tags #value_type #allowed;
            &SITE
        }});
    }
}

/// The path of the type that a typed key is of, where the expression shows it: `keys::UserKey` of `keys::UserKey { id }`,
/// `keys::UserKey(id)`, `keys::UserKey` and `keys::UserKey::of(id)`.
fn type_of(key: &Expr) -> Option<String> {
    match key {
        Expr::Struct(literal) => type_in(&literal.path),
        Expr::Call(call) => type_of(&call.func),
        Expr::Path(path) if path.qself.is_none() => type_in(&path.path),
        Expr::Reference(reference) => type_of(&reference.expr),
        Expr::Paren(inner) => type_of(&inner.expr),
        Expr::Group(inner) => type_of(&inner.expr),
        _ => None,
    }
}

fn type_in(path: &Path) -> Option<String> {
    let mut names: Vec<String> = path
        .segments
        .iter()
        .map(|segment| syn::ext::IdentExt::unraw(&segment.ident).to_string())
        .collect();
    let is_type = |name: &String| name.starts_with(char::is_uppercase);
    if !names.last().is_some_and(is_type) {
        names.pop();
    }
    names.last().is_some_and(is_type).then(|| names.join("::"))
}
