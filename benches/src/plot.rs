//! Draws the results: for every row, the cost of each server relative to crossws, on a logarithmic
//! axis.

use std::fmt::Write as _;

use crate::peers::Peer;
use crate::results::Results;
use crate::row::Measure;
use crate::rows::ROWS;

const COLOURS: [&str; 12] = [
    "#d62728", "#ff9896", "#7f7f7f", "#c7c7c7", "#1f77b4", "#2ca02c", "#9467bd", "#8c564b",
    "#e377c2", "#17becf", "#bcbd22", "#ff7f0e",
];
const LEFT: f64 = 410.0;
const RIGHT: f64 = 1040.0;
const TOP: f64 = 110.0;
const STEP: f64 = 36.0;
/// The axis, in multiples of crossws's cost.
const LEAST: f64 = 0.05;
const MOST: f64 = 200.0;

pub(crate) fn svg(results: &Results, peers: &[Peer]) -> String {
    let rows: Vec<_> = ROWS
        .iter()
        .filter(|row| row.who.is_compared())
        .filter_map(|row| Some((row, results.rows.get(row.id)?)))
        .collect();
    let bottom = TOP + STEP * rows.len() as f64;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1080 {:.0}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"20\" y=\"24\" font-size=\"16\">What others cost, in times what crossws costs: \
         left of the line is better than ours</text>\n",
        bottom + 40.0
    );
    for times in [0.1, 1.0, 10.0, 100.0] {
        let at = x(times);
        let width = if times == 1.0 { 2 } else { 1 };
        let _ = writeln!(
            out,
            "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{bottom}\" stroke=\"#ccc\" stroke-width=\"{width}\"/>\n\
             <text x=\"{at:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{times} ×</text>",
            bottom + 20.0
        );
    }
    for (index, (row, result)) in rows.iter().enumerate() {
        let at = TOP + STEP * (index as f64 + 0.5);
        let _ = writeln!(
            out,
            "<text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 12.0,
            at + 4.0,
            row.title.split(", per second").next().unwrap_or_default()
        );
        let Some(ours) = result.peers.get("ours").and_then(|ours| ours.median()) else {
            continue;
        };
        for (peer, colour) in peers.iter().zip(COLOURS) {
            let Some(value) = result.peers.get(peer.name).and_then(|peer| peer.median()) else {
                continue;
            };
            // Worse is always to the right.
            let times = if row.measure == Measure::Rate {
                ours / value
            } else {
                value / ours
            };
            let _ = writeln!(
                out,
                "<circle cx=\"{:.1}\" cy=\"{at:.1}\" r=\"6\" fill=\"{colour}\" fill-opacity=\"0.85\"><title>{}: {times:.2}</title></circle>",
                x(times),
                peer.label
            );
        }
    }
    let shown = peers.iter().zip(COLOURS).filter(|(peer, _)| {
        rows.iter()
            .any(|(_, result)| result.peers.contains_key(peer.name))
    });
    for (index, (peer, colour)) in shown.enumerate() {
        let (column, line) = ((index % 5) as f64, (index / 5) as f64);
        let (cx, cy) = (28.0 + column * 195.0, 48.0 + line * 20.0);
        let _ = writeln!(
            out,
            "<circle cx=\"{cx}\" cy=\"{cy}\" r=\"6\" fill=\"{colour}\"/><text x=\"{}\" y=\"{}\">{}</text>",
            cx + 12.0,
            cy + 4.0,
            peer.label
        );
    }
    out.push_str("</svg>\n");
    out
}

fn x(times: f64) -> f64 {
    let share = (times.clamp(LEAST, MOST) / LEAST).ln() / (MOST / LEAST).ln();
    LEFT + share * (RIGHT - LEFT)
}
