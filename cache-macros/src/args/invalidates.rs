//! `#[invalidates("user:<id>", "posts:<id>:*", UserKey { id }, tag = "user:<id>", fence, on_error = "fail", cache = …, allow = …, crate = …)]`

use proc_macro2::{Span, TokenStream};
use syn::ext::IdentExt as _;
use syn::parse::ParseStream;
use syn::{Expr, Ident, Lit, LitStr, Path, Token};

use super::allow::{Findings, OF_INVALIDATES};
use super::{KeyArg, Options, cache_of, each, is_assignment, runtime_path, skip_value, value};
use crate::durations::literal;
use crate::errors::Errors;
use crate::template::Template;

const TAG: &str = "\"user:<id>\"";

/// The arguments of `#[invalidates]`.
pub(crate) struct Invalidates {
    pub(crate) keys: Vec<KeyArg>,
    pub(crate) tags: Vec<Template>,
    /// Those that end with `:*`, without it.
    pub(crate) patterns: Vec<Template>,
    /// The word `fence`, where it stands.
    pub(crate) fence: Option<Ident>,
    pub(crate) on_error: OnError,
    pub(crate) cache: Option<Expr>,
    pub(crate) allow: Findings,
    pub(crate) runtime: Option<Path>,
}

/// What a mutation does when its invalidation is not in force.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnError {
    Proceed,
    Fail,
}

impl Invalidates {
    /// `arguments` are those of the function: a bare name that is none of them was meant to be an option.
    pub(crate) fn parse(tokens: TokenStream, arguments: &[Ident], errors: &mut Errors) -> Self {
        let mut options = Options::of(&["tag", "fence", "on_error", "cache", "allow", "crate"]);
        let (mut cache, mut runtime) = (None, None);
        let mut fence = None;
        let mut error_policy = OnError::Proceed;
        let (mut keys, mut tags, mut patterns) = (Vec::new(), Vec::new(), Vec::new());
        let mut allow = Findings::default();
        let mut has_others = false;
        let before = errors.count();
        each(tokens, errors, |input, errors| {
            let is_bare_crate = input.peek(Token![crate]) && !input.peek2(Token![::]);
            if is_assignment(input) || is_bare_crate {
                let name = input.call(Ident::parse_any)?;
                if name == "key" {
                    errors.at(
                        name.span(),
                        "keys stand without a name here: `#[invalidates(\"user:<id>\")]`",
                    );
                    return skip_value(input);
                }
                // There may be several.
                if name == "tag" {
                    has_others = true;
                    let tag: Expr = value(&name, input, TAG)?;
                    let Some(Lit::Str(text)) = literal(&tag) else {
                        let error = format!("a tag is a template in a string: `tag = {TAG}`");
                        return Err(syn::Error::new_spanned(tag, error));
                    };
                    tags.extend(Template::parse(text, errors));
                    return Ok(());
                }
                if !options.admit(&name, errors) {
                    return skip_value(input);
                }
                match name.to_string().as_str() {
                    "allow" => allow = Findings::parse(&name, input, OF_INVALIDATES, errors)?,
                    "on_error" => error_policy = on_error(&name, input)?,
                    "fence" => {
                        errors.at(name.span(), "`fence` takes no value: write `fence`");
                        return skip_value(input);
                    }
                    "cache" => cache = Some(cache_of(&name, input)?),
                    _ => runtime = Some(runtime_path(&name, input)?),
                }
                return Ok(());
            }
            let key: Expr = input.parse()?;
            if let Some(word) =
                lone_word(&key).filter(|word| *word == "fence" && !arguments.contains(word))
            {
                if options.admit(word, errors) {
                    fence = Some(word.clone());
                }
                return Ok(());
            }
            if let Some(word) = lone_word(&key).filter(|word| !arguments.contains(word)) {
                errors.at(word.span(), options.unknown(&word.to_string()));
                return Ok(());
            }
            if let Some(Lit::Str(text)) = literal(&key)
                && let Some(under) = text.value().strip_suffix(":*")
            {
                has_others = true;
                let under = Template::parse(&LitStr::new(under, text.span()), errors);
                patterns.extend(under.map(|under| under.written_as(text)));
                return Ok(());
            }
            keys.extend(KeyArg::of(key, errors));
            Ok(())
        });
        if keys.is_empty() && !has_others && !errors.is_new_since(before) {
            errors.at(
                Span::call_site(),
                "no key to invalidate: name at least one, as in `#[invalidates(\"user:<id>\")]`",
            );
        }
        Self {
            keys,
            tags,
            patterns,
            fence,
            on_error: error_policy,
            cache,
            allow,
            runtime,
        }
    }
}

fn on_error(name: &Ident, input: ParseStream<'_>) -> syn::Result<OnError> {
    let text: LitStr = value(name, input, "\"fail\"")?;
    match text.value().as_str() {
        "fail" => Ok(OnError::Fail),
        "proceed" => Ok(OnError::Proceed),
        other => Err(syn::Error::new(
            text.span(),
            format!(
                "`on_error` is `{other}`: accepted is \"proceed\" (the mutation's own result, and the invalidation is \
                 retried) or \"fail\" (an error if the invalidation is not in force)"
            ),
        )),
    }
}

/// `fence`, but not `SETTINGS`, which is a constant.
fn lone_word(key: &Expr) -> Option<&Ident> {
    let Expr::Path(path) = key else { return None };
    path.path
        .get_ident()
        .filter(|name| *name != "self" && name.to_string().starts_with(char::is_lowercase))
}
