// The terminals of package terminal: xterm.js without a window. Each line of
// standard input is a command, a JSON object, and each line of standard output
// an answer to one, or what a terminal says to its program. The end of standard
// input ends the process.

import { createInterface } from 'node:readline';
import headless from '@xterm/headless';
import jsqr from 'jsqr';

const qr = jsqr.default ?? jsqr;
const terminals = new Map();

// The colours of the two themes that terminals come with most.
const themes = {
  dark: { foreground: [0xcc, 0xcc, 0xcc], background: [0x1e, 0x1e, 0x1e] },
  light: { foreground: [0x33, 0x33, 0x33], background: [0xff, 0xff, 0xff] },
};

const say = (message) => process.stdout.write(JSON.stringify(message) + '\n');

const commands = {
  open({ terminal, columns, rows, theme, mute }) {
    const t = new headless.Terminal({ cols: columns, rows, scrollback: 1000, allowProposedApi: true });
    t.theme = themes[theme];
    t.marks = [];
    terminals.set(terminal, t);
    // What a program asks is answered as terminals do, in order.
    const reply = (text) => mute || say({ terminal, reply: text });
    t.onData(reply);
    t.parser.registerOscHandler(11, (text) => {
      if (text !== '?') return false;
      const parts = t.theme.background.map((c) => c.toString(16).padStart(2, '0').repeat(2));
      reply(`\x1b]11;rgb:${parts.join('/')}\x1b\\`);
      return true;
    });
    for (const code of [52, 0, 2]) {
      t.parser.registerOscHandler(code, (text) => { t.marks.push(`${code};${text}`); return true; });
    }
  },
  write({ terminal, data }) {
    return new Promise((done) => terminals.get(terminal).write(Buffer.from(data, 'base64'), done));
  },
  resize({ terminal, columns, rows }) { terminals.get(terminal).resize(columns, rows); },
  close({ terminal }) {
    terminals.get(terminal)?.dispose();
    terminals.delete(terminal);
  },
  read({ terminal }) { return snapshot(terminals.get(terminal)); },
  qr({ terminal, theme, invert }) {
    const t = terminals.get(terminal);
    const { pixels, width, height } = raster(t, themes[theme] ?? t.theme);
    const found = qr(pixels, width, height, { inversionAttempts: invert ? 'attemptBoth' : 'dontInvert' });
    return found === null ? null : Buffer.from(found.binaryData).toString('utf8');
  },
};

// cells are those of a line, up to the width.
function cells(t, y) {
  const line = t.buffer.active.getLine(y);
  const all = [];
  for (let x = 0; x < t.cols; x++) all.push(line.getCell(x));
  return all;
}

// color is one as it is named in a snapshot: empty for the default, a number of
// the palette, or #rrggbb.
function color(isDefault, isPalette, value) {
  if (isDefault) return '';
  return isPalette ? String(value) : '#' + value.toString(16).padStart(6, '0');
}

function link(t, cell) {
  if (!cell.hasExtendedAttrs?.() || !cell.extended?.urlId) return '';
  return t._core._oscLinkService.getLinkData(cell.extended.urlId)?.uri ?? '';
}

function view(t, cell) {
  const flags = { bold: cell.isBold(), faint: cell.isDim(), italic: cell.isItalic(), underline: cell.isUnderline(),
    inverse: cell.isInverse(), invisible: cell.isInvisible(), blink: cell.isBlink(), strike: cell.isStrikethrough() };
  return {
    text: cell.getChars(),
    width: cell.getWidth(),
    foreground: color(cell.isFgDefault(), cell.isFgPalette(), cell.getFgColor()),
    background: color(cell.isBgDefault(), cell.isBgPalette(), cell.getBgColor()),
    style: Object.keys(flags).filter((name) => flags[name]).join(' '),
    link: link(t, cell),
  };
}

// snapshot is all lines, those that scrolled away first. Equal cells are sent
// once: each line is numbers into them.
function snapshot(t) {
  const buffer = t.buffer.active;
  const kinds = new Map();
  const lines = [];
  for (let y = 0; y < buffer.length; y++) {
    lines.push({
      text: buffer.getLine(y).translateToString(true, 0, t.cols),
      wrapped: buffer.getLine(y).isWrapped,
      cells: cells(t, y).map((cell) => {
        const kind = JSON.stringify(view(t, cell));
        if (!kinds.has(kind)) kinds.set(kind, kinds.size);
        return kinds.get(kind);
      }),
    });
  }
  return {
    columns: t.cols, rows: t.rows, base: buffer.baseY,
    cursor: { column: buffer.cursorX, row: buffer.cursorY },
    alternate: buffer.type === 'alternate', bracketed: t.modes.bracketedPasteMode,
    title: t.marks.filter((m) => !m.startsWith('52;')).map((m) => m.slice(m.indexOf(';') + 1)),
    clipboard: t.marks.filter((m) => m.startsWith('52;')).map((m) => m.slice(3)),
    kinds: [...kinds.keys()].map((kind) => JSON.parse(kind)), lines,
  };
}

// rgb is a colour of the palette beyond the first 16, which themes redefine.
function rgb(value) {
  if (value >= 232) return Array(3).fill(8 + 10 * (value - 232));
  if (value < 16) return [0x80, 0x80, 0x80];
  const step = (n) => (n === 0 ? 0 : 55 + 40 * n);
  return [step(Math.floor((value - 16) / 36)), step(Math.floor((value - 16) / 6) % 6), step((value - 16) % 6)];
}

function paint(isDefault, isPalette, value, fallback) {
  if (isDefault) return fallback;
  return isPalette ? rgb(value) : [value >> 16, (value >> 8) & 255, value & 255];
}

// raster draws the window as a person sees it: a cell is as high as two are wide.
function raster(t, theme) {
  const scale = 4;
  const [width, height] = [t.cols * scale, t.rows * 2 * scale];
  const pixels = new Uint8ClampedArray(width * height * 4);
  for (let row = 0; row < t.rows; row++) {
    cells(t, t.buffer.active.baseY + row).forEach((cell, column) => {
      let ink = paint(cell.isFgDefault(), cell.isFgPalette(), cell.getFgColor(), theme.foreground);
      let paper = paint(cell.isBgDefault(), cell.isBgPalette(), cell.getBgColor(), theme.background);
      if (cell.isInverse()) [ink, paper] = [paper, ink];
      for (let y = 0; y < 2 * scale; y++) {
        for (let x = 0; x < scale; x++) {
          const at = ((row * 2 * scale + y) * width + column * scale + x) * 4;
          pixels.set(drawn(cell.getChars(), x, y, scale) ? ink : paper, at);
          pixels[at + 3] = 255;
        }
      }
    });
  }
  return { pixels, width, height };
}

// drawn tells whether a pixel of a character is: of half blocks it is known, and
// anything else is a box in the middle of its cell.
function drawn(text, x, y, scale) {
  switch (text) {
    case '': case ' ': return false;
    case '█': return true;
    case '▀': return y < scale;
    case '▄': return y >= scale;
    default: return x > 0 && x < scale - 1 && y > 1 && y < 2 * scale - 2;
  }
}

// Commands are done in order, since writing takes its time.
let queue = Promise.resolve();
createInterface({ input: process.stdin }).on('line', (line) => {
  queue = queue.then(async () => {
    const { id, command, ...args } = JSON.parse(line);
    say({ id, result: (await commands[command](args)) ?? null });
  });
});
