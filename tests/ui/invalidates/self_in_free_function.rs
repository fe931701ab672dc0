use cache_runtime::invalidates;

#[invalidates("user:<self.id>")]
async fn change() {
    
}

fn main() {}
