'use strict';
/* A result's page: values under the pointer or the keyboard, rasters, scenes that turn, tables that sort, CSV. */
const tip = document.getElementById('tip');
const all = (from, what) => [...from.querySelectorAll(what)];
const json = id => JSON.parse(document.getElementById(id).textContent);
const dark = matchMedia('(prefers-color-scheme: dark)');
const redraw = [];
dark.addEventListener('change', () => redraw.forEach(f => f()));
const digits = v => Number.isNaN(v) ? 'NaN' : Number.isFinite(v) ? String(Number(v.toPrecision(9))) : v > 0 ? 'Infinity' : '-Infinity';

function say(text, x, y) {
    tip.textContent = text || '';
    if (!text) return;
    const box = tip.getBoundingClientRect();
    tip.style.left = Math.max(4, Math.min(x + 14, innerWidth - box.width - 4)) + 'px';
    tip.style.top = (y + 18 + box.height > innerHeight ? Math.max(4, y - box.height - 10) : y + 18) + 'px';
}

/* Marks of a picture: arrow keys go to the nearest one in their direction. */
const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
function middle(mark) {
    const b = mark.getBoundingClientRect();
    return [b.x + b.width / 2, b.y + b.height / 2];
}
function next(marks, from, [dx, dy]) {
    if (!from) return marks[0];
    const [x, y] = middle(from);
    let best = from, least = Infinity;
    for (const mark of marks) {
        const [mx, my] = middle(mark), ahead = (mx - x) * dx + (my - y) * dy, aside = Math.abs((mx - x) * dy) + Math.abs((my - y) * dx);
        if (ahead > 0.5 && ahead + 3 * aside < least) { least = ahead + 3 * aside; best = mark; }
    }
    return best;
}
for (const svg of all(document, '.plot svg')) {
    let on = null;
    const pick = mark => {
        if (on) on.classList.remove('on');
        on = mark;
        if (!on) return say('');
        on.classList.add('on');
        const b = on.getBoundingClientRect();
        say(on.dataset.t, b.right, b.bottom - 12);
    };
    svg.addEventListener('pointermove', e => {
        const mark = e.target.closest('[data-t]');
        say(mark && mark.dataset.t, e.clientX, e.clientY);
    });
    svg.addEventListener('pointerleave', () => say(''));
    svg.addEventListener('blur', () => pick(null));
    svg.addEventListener('keydown', e => {
        const marks = ways[e.key] && all(svg, '[data-t]');
        if (e.key === 'Escape') pick(null);
        if (!marks || !marks.length) return;
        e.preventDefault();
        pick(next(marks, on, ways[e.key]));
    });
}

/* Numbers come as base64 of their bytes. */
function bytes(text) {
    const raw = atob(text), out = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
    return out.buffer;
}
const floats = (text, bits) => bits === '32' ? new Float32Array(bytes(text)) : new Float64Array(bytes(text));
const colours = hex => hex.match(/.{6}/g).map(c => [0, 2, 4].map(i => parseInt(c.substr(i, 2), 16)));
const palettes = document.getElementById('palettes') ? json('palettes').map(colours) : [];

for (const canvas of all(document, 'canvas.raster')) {
    const d = json(canvas.dataset.of), value = floats(d.values, d.bits), state = new Uint8Array(bytes(d.states));
    const share = v => Math.min(1, Math.max(0, (v - d.lo) / (d.hi - d.lo)));
    const place = v => d.hi > d.lo ? Math.round((d.root ? Math.sqrt(share(v)) : share(v)) * 255) : d.hi ? 255 : 0;
    const paint = () => {
        const c = canvas.getContext('2d'), image = c.createImageData(d.nx, d.ny);
        const palette = palettes[2 * d.signed + dark.matches], odd = dark.matches ? [[232, 120, 192], [52, 58, 66]] : [[176, 48, 132], [221, 225, 230]];
        for (let i = 0; i < d.nx * d.ny; i++) {
            if (!state[i]) continue;
            const rgb = state[i] === 1 ? odd[1] : Number.isFinite(value[i]) ? palette[place(value[i])] : odd[0];
            image.data.set([...rgb, 255], 4 * i);
        }
        c.putImageData(image, 0, 0);
    };
    const span = (names, i, f) => f < 2 ? names[i] : names[i * f] + ' … ' + names[Math.min(names.length - 1, i * f + f - 1)];
    const words = (x, y) => {
        const i = y * d.nx + x, what = ['no row', 'missing'][state[i]] || digits(value[i]);
        return `${d.title ? d.title + '\n' : ''}${d.yname} ${span(d.y, y, d.fy)}, ${d.xname} ${span(d.x, x, d.fx)}\n${d.name} ${what}`
            + (d.fx * d.fy > 1 ? `\nthe largest magnitude of ${d.fy} by ${d.fx}` : '');
    };
    let at = null;
    const tell = (x, y) => {
        at = [Math.max(0, Math.min(d.nx - 1, x)), Math.max(0, Math.min(d.ny - 1, y))];
        const b = canvas.getBoundingClientRect();
        say(words(...at), b.x + (at[0] + 0.5) / d.nx * b.width, b.y + (at[1] + 0.5) / d.ny * b.height);
    };
    canvas.addEventListener('pointermove', e => tell(Math.floor(e.offsetX / canvas.clientWidth * d.nx), Math.floor(e.offsetY / canvas.clientHeight * d.ny)));
    canvas.addEventListener('pointerleave', () => say(''));
    canvas.addEventListener('blur', () => say(''));
    canvas.addEventListener('keydown', e => {
        if (!ways[e.key]) return;
        e.preventDefault();
        tell((at ? at[0] : -1) + ways[e.key][0], (at ? at[1] : 0) + ways[e.key][1]);
    });
    redraw.push(paint);
    paint();
}

/* Scenes: a parallel projection that is turned by dragging or with the arrow keys; +, - and the wheel (once it has the
 * focus) zoom, 0 goes back. Boxes too small to be told apart are drawn as the hull of their group. */
function scene(canvas) {
    const d = json(canvas.dataset.of), start = { turn: 0.5585, tilt: 0.4189, zoom: 1 };
    const view = { ...start }, lo = d.boxes ? Array(3).fill(Infinity) : d.lo, hi = d.boxes ? Array(3).fill(-Infinity) : d.hi;
    const size = b => d.boxes ? b.slice(3, 6) : [0, 0, 0];
    for (const b of d.bodies)
        for (let k = 0; k < 3; k++) {
            lo[k] = Math.min(lo[k], b[k] - size(b)[k] / 2);
            hi[k] = Math.max(hi[k], b[k] + size(b)[k] / 2);
        }
    const span = hi.map((h, k) => h - lo[k] || 1), even = d.boxes ? [1, 1, 1] : span, centre = hi.map((h, k) => (h + lo[k]) / 2);
    const c = canvas.getContext('2d');
    let shown = [], groups = [], far = false, w, h, scale;
    const project = p => {
        const [x, y, z] = p.map((v, k) => (v - centre[k]) / even[k]);
        const [tc, ts, ec, es] = [Math.cos(view.turn), Math.sin(view.turn), Math.cos(view.tilt), Math.sin(view.tilt)];
        const x1 = x * tc + z * ts, z1 = -x * ts + z * tc;
        return [w / 2 + x1 * scale, h / 2 - (y * ec + z1 * es) * scale, z1 * ec - y * es];
    };
    const corner = (p, s, k) => project(p.map((v, a) => v + (k >> a & 1 ? 0.5 : -0.5) * s[a]));
    const style = () => getComputedStyle(canvas), page = () => style().backgroundColor, ink = () => getComputedStyle(document.body).color;
    const shade = (hex, by) => '#' + [0, 2, 4].map(i => Math.round(parseInt(hex.substr(i, 2), 16) * by).toString(16).padStart(2, '0')).join('');
    const faces = [[0, 1, 3, 2, 0.88], [4, 6, 7, 5, 0.88], [1, 5, 7, 3, 0.7], [0, 2, 6, 4, 0.7], [2, 3, 7, 6, 1], [0, 4, 5, 1, 0.6]];
    const visible = (p, s) => {
        const at = [0, 1, 2, 3, 4, 5, 6, 7].map(k => corner(p, s, k));
        return faces.map(f => [f.slice(0, 4).map(k => at[k]), f[4]])
            .filter(([q]) => (q[1][0] - q[0][0]) * (q[2][1] - q[1][1]) - (q[1][1] - q[0][1]) * (q[2][0] - q[1][0]) < 0);
    };
    const trace = q => { c.beginPath(); q.forEach(p => c.lineTo(p[0], p[1])); c.closePath(); };
    const box = (p, s, hex, alpha) => {
        for (const [q, by] of visible(p, s)) {
            trace(q);
            c.globalAlpha = alpha;
            c.fillStyle = shade(hex, by);
            c.fill();
            c.strokeStyle = shade(hex, 0.5);
            c.lineWidth = 0.5;
            c.stroke();
        }
        c.globalAlpha = 1;
    };
    const hull = list => {
        const a = [0, 1, 2].map(k => Math.min(...list.map(b => b[k] - size(b)[k] / 2))), z = [0, 1, 2].map(k => Math.max(...list.map(b => b[k] + size(b)[k] / 2)));
        return [...a.map((v, k) => (v + z[k]) / 2), ...a.map((v, k) => z[k] - v), list[0][6], list[0][7], d.groups[list[0][7]], d.groups[list[0][7]] + '\n' + list.length + ' boxes; zoom in to see them'];
    };
    const cage = () => {
        c.strokeStyle = style().borderTopColor;
        c.fillStyle = style().color;
        for (let k = 0; k < 8; k++)
            for (let a = 0; a < 3; a++) {
                if (k >> a & 1) continue;
                const [p, q] = [k, k | 1 << a].map(n => project(lo.map((v, i) => n >> i & 1 ? hi[i] : v)));
                c.beginPath();
                c.moveTo(p[0], p[1]);
                c.lineTo(q[0], q[1]);
                c.stroke();
                if (!k) c.fillText(d.axis[a], (p[0] + q[0]) / 2, (p[1] + q[1]) / 2 + 12);
            }
    };
    const fit = () => {                                 /* as the picture stands at first, all of it is seen */
        const now = { ...view };
        Object.assign(view, start);
        scale = 1;
        const seen = [0, 1, 2, 3, 4, 5, 6, 7].map(k => corner(centre, span, k)), most = (i, half) => Math.max(...seen.map(p => Math.abs(p[i] - half)));
        Object.assign(view, now);
        return 0.92 * Math.min(w / 2 / most(0, w / 2), h / 2 / most(1, h / 2));
    };
    const draw = () => {
        const ratio = devicePixelRatio || 1;
        w = canvas.clientWidth; h = canvas.clientHeight;
        canvas.width = w * ratio;
        canvas.height = h * ratio;
        c.setTransform(ratio, 0, 0, ratio, 0, 0);
        c.font = '11px sans-serif';
        scale = fit() * view.zoom;
        if (!d.boxes) cage();
        far = d.boxes && groups.length > 1 && groups.length < d.bodies.length && small() * scale < 3;
        shown = (far ? groups : d.bodies).map(b => [project(b.slice(0, 3)), b]).sort((a, b) => b[0][2] - a[0][2]);
        for (const [p, b] of shown) {
            const hex = d.colours[b[6]][+dark.matches];
            if (d.boxes) box(b.slice(0, 3), b.slice(3, 6), hex, far ? 0.8 : 1);
            else { c.fillStyle = '#' + hex; c.beginPath(); c.arc(p[0], p[1], Math.min(9, 3.5 * Math.sqrt(view.zoom)), 0, 7); c.fill(); }
        }
        labels();
    };
    const small = () => d.bodies.reduce((s, b) => s + Math.cbrt(b[3] * b[4] * b[5]), 0) / d.bodies.length;
    const labels = () => {
        const taken = [];
        c.fillStyle = ink();
        for (const [p, b] of [...shown].reverse()) {
            if (!b[8] || taken.length > 150 || (d.boxes && !far && b[3] * scale < c.measureText(b[8]).width)) continue;
            const f = [p[0] + (d.boxes ? 0 : 6), p[1] - 6, c.measureText(b[8]).width + 4, 13];
            if (taken.some(t => f[0] < t[0] + t[2] && t[0] < f[0] + f[2] && f[1] < t[1] + t[3] && t[1] < f[1] + f[3])) continue;
            taken.push(f);
            if (d.boxes) { c.lineWidth = 3; c.strokeStyle = page(); c.strokeText(b[8], f[0] - f[2] / 2, f[1] + 10); }
            c.fillText(b[8], f[0] - (d.boxes ? f[2] / 2 : 0), f[1] + 10);
        }
    };
    const hit = (x, y) => {
        for (const [p, b] of [...shown].reverse()) {
            if (!d.boxes && Math.hypot(p[0] - x, p[1] - y) < 7) return b;
            if (d.boxes && visible(b.slice(0, 3), b.slice(3, 6)).some(([q]) => { trace(q); return c.isPointInPath(x * (devicePixelRatio || 1), y * (devicePixelRatio || 1)); })) return b;
        }
        return null;
    };
    const move = (turn, tilt, zoom) => {
        view.turn += turn;
        view.tilt = Math.max(-1.57, Math.min(1.57, view.tilt + tilt));
        view.zoom = Math.max(0.05, Math.min(60, view.zoom * zoom));
        draw();
    };
    if (d.groups.length) groups = d.groups.map((g, i) => d.bodies.filter(b => b[7] === i)).filter(l => l.length).map(hull);
    let held = null;
    canvas.addEventListener('pointerdown', e => { held = e.pointerId; canvas.setPointerCapture(held); canvas.focus(); });
    canvas.addEventListener('pointerup', () => { held = null; });
    canvas.addEventListener('pointermove', e => {
        if (held !== null) { say(''); return move(e.movementX / 150, e.movementY / 150, 1); }
        const b = hit(e.offsetX, e.offsetY);
        say(b && b[9], e.clientX, e.clientY);
    });
    canvas.addEventListener('pointerleave', () => say(''));
    canvas.addEventListener('wheel', e => {
        if (document.activeElement !== canvas) return;
        e.preventDefault();
        move(0, 0, Math.exp(-e.deltaY / 500));
    }, { passive: false });
    let read = -1;
    canvas.addEventListener('keydown', e => {
        const way = ways[e.key], zoom = { '+': 1.2, '=': 1.2, '-': 1 / 1.2 }[e.key], step = { n: 1, p: -1 }[e.key];
        if (way) move(way[0] * 0.1, way[1] * 0.1, 1);
        else if (zoom) move(0, 0, zoom);
        else if (e.key === '0') { Object.assign(view, start); draw(); }
        else if (step) {
            read = (read + step + d.bodies.length) % d.bodies.length;
            const p = project(d.bodies[read].slice(0, 3)), b = canvas.getBoundingClientRect();
            say(d.bodies[read][9], b.x + p[0], b.y + p[1]);
        } else return;
        e.preventDefault();
    });
    canvas.addEventListener('blur', () => say(''));
    addEventListener('resize', draw);
    redraw.push(draw);
    all(canvas.parentNode, '.flat').forEach(g => g.remove());
    canvas.hidden = false;
    draw();
}
all(document, 'canvas.scene').forEach(scene);

/* Tables: a click on a head sorts, numbers as numbers, what is none last. */
for (const head of all(document, 'th button')) head.addEventListener('click', () => {
    const th = head.parentNode, table = th.closest('table'), body = table.tBodies[0], column = th.cellIndex;
    const down = th.getAttribute('aria-sort') === 'ascending';
    const key = row => { const cell = row.cells[column]; return th.classList.contains('n') ? Number(cell.textContent) : cell.dataset.k || cell.textContent; };
    const rows = [...body.rows].map(row => [row.cells[column].classList.contains('null') ? null : key(row), row]);
    const order = (a, b) => a < b ? -1 : a > b ? 1 : 0;
    rows.sort(([a], [b]) => a === null || a !== a ? (b === null || b !== b ? 0 : 1) : b === null || b !== b ? -1 : down ? order(b, a) : order(a, b));
    all(table, 'th').forEach(t => t.removeAttribute('aria-sort'));
    th.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    body.append(...rows.map(([, row]) => row));
});

function arrayText(d) {
    const value = floats(d.values, d.bits), missing = d.missing && new Uint8Array(bytes(d.missing)), at = d.shape.map(() => 0);
    const lines = [[...d.axes, d.name].join(',')];
    for (let i = 0; i < value.length; i++) {
        lines.push([...at, missing && missing[i >> 3] >> (i & 7) & 1 ? '' : digits(value[i])].join(','));
        for (let k = at.length - 1; k >= 0 && ++at[k] === d.shape[k]; k--) at[k] = 0;
    }
    return lines.join('\n') + '\n';
}
for (const button of all(document, '.save')) button.addEventListener('click', () => {
    const d = json(button.dataset.of), text = typeof d === 'string' ? d : arrayText(d);
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([text], { type: 'text/csv' }));
    link.download = button.dataset.name;
    link.click();
    URL.revokeObjectURL(link.href);
});
