// Sorts and filters the table, opens panels. Reads the page and writes text, classes and attributes only.
(() => {
  'use strict';
  const by = id => document.getElementById(id);
  const table = by('table');
  const rows = [...table.tBodies[0].rows];
  const heads = [...table.tHead.rows[0].cells];
  const words = heads.map(head => head.textContent);
  const grave = ['b', 'h', 'w', 'c', 'u'];

  // The first number of a cell; nothing where there is a dash.
  const number = cell => {
    const text = cell.firstChild ? cell.firstChild.data || '' : '';
    const value = parseFloat(text.replace(/[,<]/g, ''));
    return Number.isNaN(value) ? null : value;
  };
  const key = (row, at) => {
    if (at === 0) return grave.indexOf(row.dataset.v);
    const cell = row.cells[at];
    return cell.classList.contains('n') ? number(cell) : cell.textContent;
  };
  // What has no value stands last in either direction.
  const compare = (a, b, sign) => {
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * (a < b ? -1 : a > b ? 1 : 0);
  };
  const sort = (at, sign) => {
    const keyed = rows.map((row, place) => ({ row, place, key: key(row, at) }));
    keyed.sort((a, b) => compare(a.key, b.key, sign) || a.place - b.place);
    table.tBodies[0].append(...keyed.map(k => k.row));
    heads.forEach((head, place) => {
      if (place === at) head.setAttribute('aria-sort', sign > 0 ? 'ascending' : 'descending');
      else head.removeAttribute('aria-sort');
    });
  };
  heads.forEach((head, at) => {
    const button = document.createElement('button');
    const label = document.createElement('span');
    button.type = 'button';
    button.textContent = words[at];
    // Paper repeats the head of a table on every page, but not the buttons in it.
    label.className = 'label';
    label.textContent = words[at];
    head.replaceChildren(button, label);
    button.addEventListener('click', () => {
      const first = head.classList.contains('n') ? -1 : 1;
      const now = head.getAttribute('aria-sort');
      sort(at, now === null ? first : now === 'ascending' ? -1 : 1);
    });
  });

  const form = by('controls'), find = by('find'), least = by('least'), shown = by('count');
  const toggles = [...form.querySelectorAll('button')];
  const clicksAt = words.indexOf('clicks');
  const names = rows.map(row => [...row.querySelectorAll('.k')].map(cell => cell.textContent).join(' / ').toLowerCase());
  const filter = () => {
    const wanted = find.value.trim().toLowerCase();
    const from = Number(least.value) || 0;
    const off = new Set(toggles.filter(t => t.getAttribute('aria-pressed') === 'false').map(t => t.dataset.v));
    let n = 0;
    rows.forEach((row, at) => {
      const keep = names[at].includes(wanted) && !off.has(row.dataset.v) && (number(row.cells[clicksAt]) || 0) >= from;
      row.hidden = !keep;
      n += keep;
    });
    shown.textContent = `${n.toLocaleString('en')} shown`;
  };
  form.hidden = false;
  form.addEventListener('submit', event => event.preventDefault());
  find.addEventListener('input', filter);
  least.addEventListener('input', filter);
  toggles.forEach(toggle => toggle.addEventListener('click', () => {
    toggle.setAttribute('aria-pressed', String(toggle.getAttribute('aria-pressed') === 'false'));
    filter();
  }));

  const panels = [...document.querySelectorAll('#evidence details')];
  const open = id => {
    const panel = by(id);
    if (!(panel instanceof HTMLDetailsElement)) return false;
    panel.open = true;
    panel.scrollIntoView();
    panel.firstElementChild.focus({ preventScroll: true });
    return true;
  };
  document.addEventListener('click', event => {
    const link = event.target.closest('a');
    const target = link && link.getAttribute('href');
    // The browser would move the focus away again.
    if (target && open(target.slice(1))) event.preventDefault();
  });
  open(location.hash.slice(1));
  const all = by('all');
  if (all) {
    all.hidden = false;
    by('open').addEventListener('click', () => panels.forEach(panel => { panel.open = true; }));
    by('close').addEventListener('click', () => panels.forEach(panel => { panel.open = false; }));
  }

  // Paper cannot be opened: everything is, while it is printed.
  let before = [];
  addEventListener('beforeprint', () => {
    before = panels.map(panel => panel.open);
    panels.forEach(panel => { panel.open = true; });
  });
  addEventListener('afterprint', () => panels.forEach((panel, at) => { panel.open = before[at]; }));
})();
