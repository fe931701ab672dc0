use cache_runtime::KeyPart;

#[derive(KeyPart)]
struct Tagged<T>(T);

fn is_part(_: impl KeyPart) {}

fn use_it() {
    is_part(Tagged(1_u64));
    is_part(Tagged(1.0_f64));
}

fn main() {}
