//! The rules between the arguments of an annotation and what it stands on.
//!
//! What passes here is a plan, in which nothing can be wrong any more: [`expand`](crate::expand) only writes it down.

mod batch;
mod scope;
mod signature;
mod taken_along;

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::{Data, DeriveInput, Expr, Fields, Member, Path, Type, Variant};

use self::scope::{Scope, Subject};
use self::signature::{cacheable_return, told_parameters, wrappable};
use self::taken_along::taken_along;
use crate::args;
use crate::args::allow::Findings;
use crate::args::cached::Policy;
use crate::args::invalidates::OnError;
use crate::args::staleness::Staleness;
use crate::args::storing::{Storing, Ttl};
use crate::errors::Errors;
use crate::function::{Body, Function, has_impl_trait};
use crate::template::Template;

use self::batch::mapped_return;
pub(crate) use self::batch::{Batch, Held};
pub(crate) use self::scope::{Key, Place, Resolved, Step};
pub(crate) use self::taken_along::Taken;

/// A `#[cached]` function.
pub(crate) struct Cached<'a> {
    pub(crate) function: &'a Function,
    pub(crate) body: &'a Body,
    pub(crate) batch: Option<Batch>,
    pub(crate) key: Key,
    pub(crate) policy: Policy,
    pub(crate) storing: Storing,
    pub(crate) staleness: Staleness,
    /// What a load takes along that may outlive its call; `None` if none may.
    pub(crate) taken_along: Option<Vec<Taken>>,
    pub(crate) tags: Vec<Resolved>,
    pub(crate) cache: Option<Expr>,
    pub(crate) allow: Findings,
    pub(crate) runtime: TokenStream,
}

/// A `#[write_through]` function.
pub(crate) struct WriteThrough<'a> {
    pub(crate) function: &'a Function,
    pub(crate) body: &'a Body,
    pub(crate) key: Key,
    pub(crate) ttl: Ttl,
    pub(crate) storing: Storing,
    pub(crate) tags: Vec<Resolved>,
    pub(crate) value: Option<Expr>,
    pub(crate) cache: Option<Expr>,
    pub(crate) allow: Findings,
    pub(crate) runtime: TokenStream,
}

/// An `#[invalidates]` function.
pub(crate) struct Invalidates<'a> {
    pub(crate) function: &'a Function,
    pub(crate) body: &'a Body,
    pub(crate) keys: Vec<Key>,
    pub(crate) tags: Vec<Resolved>,
    pub(crate) patterns: Vec<Resolved>,
    pub(crate) is_fenced: bool,
    pub(crate) on_error: OnError,
    pub(crate) cache: Option<Expr>,
    pub(crate) allow: Findings,
    pub(crate) runtime: TokenStream,
}

/// A type that derives `CacheKey`.
pub(crate) struct CacheKey<'a> {
    pub(crate) input: &'a DeriveInput,
    pub(crate) template: Resolved,
    pub(crate) value: Option<Type>,
    /// The types of the fields that are parts as they stand.
    pub(crate) parts: Vec<Type>,
    pub(crate) runtime: TokenStream,
}

/// A type that derives `KeyPart`.
pub(crate) struct KeyPart<'a> {
    pub(crate) input: &'a DeriveInput,
    pub(crate) text: PartText<'a>,
    pub(crate) runtime: TokenStream,
}

/// What a derived `KeyPart` writes.
pub(crate) enum PartText<'a> {
    /// What its only field writes.
    Of(Member, &'a Type),
    /// The name of its variant.
    Variant(Vec<&'a Variant>),
}

pub(crate) fn cached<'a>(
    mut args: args::cached::Cached,
    function: &'a Function,
    errors: &mut Errors,
) -> Option<Cached<'a>> {
    let mut scope = Scope::of_call(function, Subject::Call);
    let was_readable = args.skip.is_some();
    let skip = told_parameters(function, args.skip.unwrap_or_default(), errors);
    let batch = match &args.batch {
        Some(batch) => {
            // Without it, nothing can be said of the key.
            let batch = Batch::of(batch, args.key.as_ref(), function, &scope, &skip, errors)?;
            scope = scope.with_item(&batch.item, &batch.ids);
            Some(batch)
        }
        None => None,
    };
    let before = errors.count();
    let skipped = was_readable.then(|| scope.skipped(&skip, errors));
    let covered = args.key.as_ref().map(|key| scope.named_in(key));
    let key = args
        .key
        .and_then(|key| scope.key(key, skipped.as_deref().unwrap_or_default(), errors));
    if let (Some(skipped), Some(covered), false) = (skipped, covered, errors.is_new_since(before)) {
        Scope::conflicts(&skipped, &covered, errors);
        scope.coverage(&covered, &skipped, errors);
    }
    let tags = tags(&mut args.storing, &scope, errors);
    let body = wrappable(function, "cached", errors);
    cacheable_return(function, "remove `#[cached]`", errors);
    if batch.is_some() {
        mapped_return(function, errors);
    }
    if let Some(place) = args.staleness.if_error()
        && is_no_result(&function.returned())
    {
        errors.at(
            place,
            "`stale_if_error` returns an older value in the place of an `Err`, and this function returns no `Result`",
        );
    }
    let taken_along = match body {
        Some(body) if args.staleness.is_in_background() => {
            Some(taken_along(function, body, errors))
        }
        _ => None,
    };
    Some(Cached {
        function,
        body: body?,
        batch,
        key: key?,
        policy: args.policy?,
        storing: args.storing,
        staleness: args.staleness,
        taken_along,
        tags,
        cache: args.cache,
        allow: args.allow,
        runtime: runtime(args.runtime),
    })
}

pub(crate) fn write_through<'a>(
    mut args: args::write_through::WriteThrough,
    function: &'a Function,
    errors: &mut Errors,
) -> Option<WriteThrough<'a>> {
    let body = wrappable(function, "write_through", errors);
    let scope = Scope::of_call(function, Subject::ReturnedCall);
    let key = args.key.and_then(|key| scope.key(key, &[], errors));
    if let Some(Key::Template(template)) = key.as_ref().filter(|key| key.needs_return()) {
        errors.at(
            template.literal.span(),
            "a write-through marks its key before the function runs, so that two of them cannot leave the older value, and \
             this key needs what it returns; use `#[invalidates(…)]` for it: the next read fills it",
        );
    }
    let tags = tags(
        &mut args.storing,
        &Scope::of_call(function, Subject::Call),
        errors,
    );
    if args.value.is_none() {
        let or = "say what is written: `value = |_| …`";
        cacheable_return(function, or, errors);
    } else if has_impl_trait(&function.returned()) {
        errors.under(
            function.returned(),
            "`#[write_through]` needs a return type with a name; this function returns an `impl Trait`",
        );
    }
    Some(WriteThrough {
        function,
        body: body?,
        key: key?,
        ttl: args.ttl?,
        storing: args.storing,
        tags,
        value: args.value,
        cache: args.cache,
        allow: args.allow,
        runtime: runtime(args.runtime),
    })
}

/// The tags of what is stored. They are read before the body, so that none of them can need what it returns.
fn tags(storing: &mut Storing, scope: &Scope, errors: &mut Errors) -> Vec<Resolved> {
    let tags = std::mem::take(&mut storing.tags).into_iter();
    tags.filter_map(|tag| scope.template(tag, &[], errors))
        .collect()
}

pub(crate) fn invalidates<'a>(
    args: args::invalidates::Invalidates,
    function: &'a Function,
    errors: &mut Errors,
) -> Option<Invalidates<'a>> {
    let body = wrappable(function, "invalidates", errors);
    let scope = Scope::of_call(function, Subject::ReturnedCall).with_several(function);
    let keys: Vec<Key> = args
        .keys
        .into_iter()
        .filter_map(|key| scope.key(key, &[], errors))
        .collect();
    let mut resolved = |templates: Vec<Template>| -> Vec<Resolved> {
        let templates = templates.into_iter();
        templates
            .filter_map(|template| scope.template(template, &[], errors))
            .collect()
    };
    let (tags, patterns) = (resolved(args.tags), resolved(args.patterns));
    if let (Some(pattern), Some(_)) = (patterns.first(), &args.fence) {
        errors.at(
            pattern.literal.span(),
            "a `fence` stands over keys that are known before the function runs, and a pattern names none; put it into an \
             `#[invalidates]` of its own, without `fence`",
        );
    }
    let by_return = {
        let keys = keys.iter().filter_map(|key| match key {
            Key::Template(template) => Some(template),
            Key::Typed(_) => None,
        });
        keys.chain(&tags)
            .chain(&patterns)
            .find(|template| template.needs_return())
    };
    if has_impl_trait(&function.returned())
        && let Some(template) = by_return
    {
        errors.at(
            template.literal.span(),
            "`<return…>` needs a return type with a name; this function returns an `impl Trait`",
        );
    }
    if args.fence.is_some()
        && let Some(template) = by_return
    {
        errors.at(
            template.literal.span(),
            "a `fence` is raised before the function runs, and this key needs what it returns; put it into an \
             `#[invalidates]` of its own, without `fence`",
        );
    }
    if let Some(fence) = &args.fence
        && has_impl_trait(&function.returned())
    {
        errors.at(
            fence.span(),
            "a `fence` needs a return type with a name, to see whether the function failed; this one returns an `impl Trait`",
        );
    }
    if args.on_error == OnError::Fail && is_no_result(&function.returned()) {
        errors.under(
            function.returned(),
            "`on_error = \"fail\"` needs a function that can fail: one that returns a `Result` whose error is made of an \
             `InvalidationError` by `From`",
        );
    }
    Some(Invalidates {
        function,
        body: body?,
        keys,
        tags,
        patterns,
        is_fenced: args.fence.is_some(),
        on_error: args.on_error,
        cache: args.cache,
        allow: args.allow,
        runtime: runtime(args.runtime),
    })
}

pub(crate) fn cache_key<'a>(
    args: args::cache_key::CacheKey,
    input: &'a DeriveInput,
    errors: &mut Errors,
) -> Option<CacheKey<'a>> {
    let Data::Struct(data) = &input.data else {
        errors.at(
            keyword(input),
            "`CacheKey` is derived for structs; for several kinds of key, write one struct for each",
        );
        return None;
    };
    let scope = Scope::of_fields(&data.fields);
    let template = args.template?;
    let covered: Vec<String> = template
        .placeholders()
        .map(|placeholder| placeholder.root.clone())
        .collect();
    let parts = scope.types_of_bare_parts(&template, &data.fields);
    let template = scope.template(template, &[], errors)?;
    scope.coverage(&covered, &[], errors);
    Some(CacheKey {
        input,
        template,
        value: args.value,
        parts,
        runtime: runtime(args.runtime),
    })
}

pub(crate) fn key_part<'a>(
    args: args::key_part::KeyPart,
    input: &'a DeriveInput,
    errors: &mut Errors,
) -> Option<KeyPart<'a>> {
    const SUPPORTED: &str = "`KeyPart` is derived for structs with one field, which they then write, and for enums without fields, which write the variant's name";
    let text = match &input.data {
        Data::Struct(data) => {
            let mut fields = data.fields.iter().zip(data.fields.members());
            match (fields.next(), fields.next()) {
                (Some((field, member)), None) => PartText::Of(member, &field.ty),
                (None, _) => {
                    errors.at(
                        input.ident.span(),
                        format!("`{}` has no field; {SUPPORTED}", input.ident),
                    );
                    return None;
                }
                (_, Some((second, _))) => {
                    errors.under(
                        second,
                        format!(
                            "`{}` has more than one field; {SUPPORTED}; for several values, put one placeholder for each \
                             into the key, or derive `CacheKey`",
                            input.ident
                        ),
                    );
                    return None;
                }
            }
        }
        Data::Enum(data) => {
            for variant in data
                .variants
                .iter()
                .filter(|variant| !matches!(variant.fields, Fields::Unit))
            {
                errors.under(
                    &variant.fields,
                    format!("`{}` has fields; {SUPPORTED}", variant.ident),
                );
            }
            PartText::Variant(data.variants.iter().collect())
        }
        Data::Union(_) => {
            errors.at(keyword(input), format!("this is a union; {SUPPORTED}"));
            return None;
        }
    };
    Some(KeyPart {
        input,
        text,
        runtime: runtime(args.runtime),
    })
}

fn keyword(input: &DeriveInput) -> Span {
    match &input.data {
        Data::Struct(data) => data.struct_token.span,
        Data::Enum(data) => data.enum_token.span,
        Data::Union(data) => data.union_token.span,
    }
}

/// The hidden module that expansions call.
pub(crate) fn runtime(path: Option<Path>) -> TokenStream {
    path.map_or_else(
        || quote_spanned!(Span::mixed_site()=> ::cache_runtime::__private),
        |path| quote_spanned!(Span::mixed_site()=> #path::__private),
    )
}

/// Whether a type is certainly no `Result`. One with a name of its own may be an alias of one.
fn is_no_result(returned: &Type) -> bool {
    const NO_RESULTS: &[&str] = &[
        "Arc", "Box", "Option", "String", "Vec", "bool", "char", "f32", "f64", "i8", "i16", "i32",
        "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128", "usize",
    ];
    match returned {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .is_some_and(|last| NO_RESULTS.iter().any(|name| last.ident == name)),
        Type::Tuple(_) | Type::Reference(_) | Type::Array(_) => true,
        _ => false,
    }
}
