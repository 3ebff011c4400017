//! The simulator's command line.
use simulations::*;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let (s, e): (u64, u64) = (a[1].parse().unwrap(), a[2].parse().unwrap());
    let profile = match &*a[3] {
        "calm" => Profile::Calm,
        "rough" => Profile::Rough,
        _ => Profile::Hell,
    };
    let traced = a.len() > 4 && a[4] == "t";
    let mut seen = invariant::Coverage::default();
    let mut bad = 0;
    for seed in s..e {
        let plan = Plan::draw(seed, profile, Scale::default());
        let o = farm::run(&plan, None, traced);
        if traced {
            println!("{plan:#?}\n{}", o.trace);
        }
        seen.add(&o.seen);
        if let Some(v) = o.violation {
            bad += 1;
            if bad < 20 {
                println!("seed {seed}: {v}");
            }
        }
    }
    println!("{seen:?} bad {bad}");
}
