//! What is personal in a report, covered once, before anything is rendered.
//!
//! Text is masked wherever it is encoded, so what is forgotten here is masked and not shown. IDs of lists stay
//! as they are: a list of addresses that was asked for by name is of no use without them.

use super::explain::{Page, Sample};
use super::{List, Report};
use crate::base::privacy::Pii;
use crate::base::text::Text;
use crate::ingest::FileLedger;
use crate::verdicts::Judged;

impl Report<'_> {
    /// Settles what every output shows of personal values.
    pub fn cover(&mut self, pii: &Pii) {
        self.run.pii = pii.clone();
        self.run.inputs.iter_mut().for_each(|input| input.path.cover(pii));
        self.coverage.notes.iter_mut().for_each(|note| note.cover(pii));
        self.coverage.gates.iter_mut().for_each(|gate| gate.sentence.cover(pii));
        self.incidents.iter_mut().filter_map(|i| i.unit.as_mut()).for_each(|(_, name)| name.cover(pii));
        for sibling in &mut self.siblings {
            let names = [&mut sibling.offer, &mut sibling.network, &mut sibling.against];
            names.into_iter().for_each(|name| name.cover(pii));
        }
        for told in self.forwarded.iter_mut().flat_map(|forwarded| &mut forwarded.told) {
            told.traffic_source.iter_mut().for_each(|name| name.cover(pii));
        }
        self.groups.iter_mut().for_each(|group| cover_group(group, pii));
        if let Some(history) = &mut self.history {
            let silent = history.silent.iter_mut().map(|(key, _)| key);
            silent.chain(&mut history.gone).flatten().flatten().for_each(|part| part.cover(pii));
        }
        let cases = self.dossiers.iter_mut().flat_map(|dossier| &mut dossier.cases);
        cases.for_each(|case| cover_sample(&mut case.sample, pii));
        for list in [&mut self.lists.block, &mut self.lists.profit, &mut self.lists.scale] {
            if let List::Ready(listing) = list {
                listing.rejected.iter_mut().for_each(|(text, _)| text.cover(pii));
            }
        }
    }
}

impl Page<'_> {
    /// The same for what only the page says; its group comes from a report.
    pub fn cover(&mut self, pii: &Pii) {
        self.details.samples.rows.iter_mut().for_each(|sample| cover_sample(sample, pii));
    }
}

/// The same for rejected rows.
pub fn cover_rejects(files: &mut [FileLedger], pii: &Pii) {
    files.iter_mut().flat_map(|file| &mut file.rejects.kept).for_each(|reject| reject.found.cover(pii));
}

/// A device sends fewer clicks than this in a window, or is no device: such a name is a zone's.
const BUSY: u64 = 50;

fn cover_group(group: &mut Judged, pii: &Pii) {
    for part in group.subject.key.iter_mut().flatten() {
        if group.subject.clicks >= BUSY {
            *part = part.clone().as_name();
        }
        part.cover(pii);
    }
    group.subject.events.iter_mut().for_each(|(event, _, _)| event.cover(pii));
    group.subject.fraud_reasons.iter_mut().for_each(|(word, _)| word.cover(pii));
}

fn cover_sample(sample: &mut Sample, pii: &Pii) {
    let ids = [&mut sample.click_id, &mut sample.transaction_id, &mut sample.offer, &mut sample.country];
    let texts = ids.into_iter().chain([&mut sample.address, &mut sample.fraud_reason]).flatten();
    texts.chain([&mut sample.event]).for_each(|text: &mut Text| text.cover(pii));
}
