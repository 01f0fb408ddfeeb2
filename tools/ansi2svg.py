# SPDX-License-Identifier: MIT
"""ansi2svg.py TITLE < CAPTURE > PICTURE: a terminal screen with its colours, as `tmux capture-pane -e -p` prints it, as
an SVG picture. Text stays text; bars, curves and frames are drawn as shapes, so that they join whatever font is there."""
import re
import sys
import unicodedata
from xml.sax.saxutils import escape

W, H, SIZE, PAD, BASE = 8.4, 18, 14, 14, 13.6
BACK, FORE = "#15191e", "#d3d7cf"
SYSTEM = ["#2a2f36", "#e06c64", "#6cb56c", "#d7a54a", "#5f87d7", "#b06ab3", "#4fb3bf", "#d3d7cf",
          "#6c7680", "#ff8a80", "#8fd68f", "#f0c674", "#8fb0ff", "#d79bdb", "#7fd7e0", "#ffffff"]


def color256(n):
    if n < 16:
        return SYSTEM[n]
    if n > 231:
        return "#%02x%02x%02x" % ((8 + (n - 232) * 10,) * 3)
    return "#%02x%02x%02x" % tuple(v and 55 + 40 * v for v in ((n - 16) // 36, (n - 16) // 6 % 6, (n - 16) % 6))


class Style:
    def __init__(self):
        self.fg = self.bg = None
        self.bold = self.dim = self.line = self.reverse = False

    def take(self, codes):
        codes = [int(c or 0) for c in codes.split(";")]
        while codes:
            c = codes.pop(0)
            if c == 0:
                self.__init__()
            elif c in (1, 22):
                self.bold, self.dim = c == 1, False
            elif c == 2:
                self.dim = True
            elif c in (4, 24):
                self.line = c == 4
            elif c in (7, 27):
                self.reverse = c == 7
            elif c in (38, 48) and len(codes) > 1 and codes[0] == 5:
                setattr(self, "fg" if c == 38 else "bg", color256(codes[1]))
                codes = codes[2:]
            elif 30 <= c <= 37 or 90 <= c <= 97:
                self.fg = SYSTEM[c - 30 if c < 90 else c - 82]
            elif 40 <= c <= 47:
                self.bg = SYSTEM[c - 40]
            elif c == 39:
                self.fg = None
            elif c == 49:
                self.bg = None

    def look(self):
        fg, bg = self.fg or FORE, self.bg
        if self.reverse:
            fg, bg = bg or BACK, fg
        return fg, bg, self.bold, self.dim, self.line


def cells(line, style):
    """(character, columns, look) of one line; the style goes on to the next."""
    row = []
    for text, codes in re.findall(r"([^\x1b]+)|\x1b\[([0-9;]*)m", line):
        if not text:
            style.take(codes)
        for ch in text:
            if unicodedata.combining(ch) and row:
                row[-1] = (row[-1][0] + ch,) + row[-1][1:]
            elif ch >= " ":
                row.append((ch, 2 if unicodedata.east_asian_width(ch) in "WF" else 1, style.look()))
    return row


def rect(x, y, w, h):
    return "M%g %gh%gv%gh%gz" % (round(x, 2), round(y, 2), round(w, 2), round(h, 2), round(-w, 2))


# Box drawing: which of left, right, up, down are there.
BOXES = {"─": "lr", "│": "ud", "┌": "rd", "┐": "ld", "└": "ru", "┘": "lu", "├": "rud", "┤": "lud", "┬": "lrd",
         "┴": "lru", "┼": "lrud", "╭": "rd", "╮": "ld", "╰": "ru", "╯": "lu", "═": "lr", "║": "ud"}


def shape(ch, x, y):
    """The character as a path, None: it is text."""
    c = ord(ch[0])
    if ch in BOXES:
        mx, my, t = x + W / 2, y + H / 2, 0.6
        ends = {"l": rect(x, my - t, W / 2 + t, 2 * t), "r": rect(mx - t, my - t, W / 2 + t, 2 * t),
                "u": rect(mx - t, y, 2 * t, H / 2 + t), "d": rect(mx - t, my - t, 2 * t, H / 2 + t)}
        return "".join(ends[e] for e in BOXES[ch])
    if 0x2581 <= c <= 0x2588:
        h = H * (c - 0x2580) / 8
        return rect(x, y + H - h, W, h)
    if 0x2589 <= c <= 0x258f:
        return rect(x, y, W * (0x2590 - c) / 8, H)
    if c == 0x2580:
        return rect(x, y, W, H / 2)
    if 0x2800 <= c <= 0x28ff:
        spots = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
        return "".join("M%g %gh2.2" % (round(x + 1.3 + 3.7 * sx, 1), round(y + 2.4 + 4.2 * sy, 1))
                       for i, (sx, sy) in enumerate(spots) if (c - 0x2800) >> i & 1)
    if ch == "■":
        return rect(x + 0.7, y + 5, W - 1.4, H - 9.5)
    if ch == "▪":
        return rect(x + 1.9, y + 7, W - 3.8, H - 13.5)
    if ch == "□":
        return rect(x + 0.9, y + 5.2, W - 1.8, H - 9.9) + rect(x + W - 2.1, y + 6.4, -(W - 4.2), H - 12.3)
    if ch == "·":
        return rect(x + W / 2 - 0.8, y + H / 2 - 0.3, 1.6, 1.6)
    return None


def mixed(fg):
    """Dim: half way to the background."""
    return "#" + "".join("%02x" % ((int(fg[i:i + 2], 16) * 6 + int(BACK[i:i + 2], 16) * 4) // 10) for i in (1, 3, 5))


def draw(lines):
    paths, dots, backs, texts, style = {}, {}, {}, [], Style()
    for n, line in enumerate(lines):
        y, x, run = PAD + n * H, PAD, None
        for ch, cols, (fg, bg, bold, dim, under) in cells(line, style):
            fg = mixed(fg) if dim else fg
            if bg:
                backs.setdefault(bg, []).append(rect(x, y, W * cols, H))
            if under:
                paths.setdefault(fg, []).append(rect(x, y + H - 2.6, W * cols, 1))
            path = shape(ch, x, y)
            if path is not None:
                (dots if "\u2800" <= ch[0] <= "\u28ff" else paths).setdefault(fg, []).append(path)
            if path is not None or ch == " ":
                run = None
            elif run and run["look"] == (fg, bold):
                run["text"] += ch
                run["cols"] += cols
            else:
                run = {"x": x, "y": y, "text": ch, "cols": cols, "look": (fg, bold)}
                texts.append(run)
            x += W * cols
    out = ['<path fill="%s" d="%s"/>' % (c, "".join(d)) for c, d in list(backs.items()) + list(paths.items())]
    out += ['<path stroke="%s" stroke-width="2.6" d="%s"/>' % (c, "".join(d)) for c, d in dots.items()]
    for t in texts:
        out.append('<text x="%g" y="%g" fill="%s"%s textLength="%g">%s</text>' % (
            round(t["x"], 2), t["y"] + BASE, t["look"][0], ' font-weight="bold"' if t["look"][1] else "",
            round(t["cols"] * W, 2), escape(t["text"])))
    return out


def main():
    lines = sys.stdin.read().rstrip("\n").split("\n")
    style = Style()
    width = max(sum(c[1] for c in cells(line, style)) for line in lines)
    w, h = round(width * W + 2 * PAD), len(lines) * H + 2 * PAD
    print('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img">' % (w, h, w, h))
    print("<title>%s</title>" % escape(sys.argv[1] if len(sys.argv) > 1 else "vmtop"))
    print('<rect width="%d" height="%d" rx="9" fill="%s"/>' % (w, h, BACK))
    print('<g font-family="DejaVu Sans Mono,Menlo,Consolas,Liberation Mono,monospace" font-size="%d">' % SIZE)
    print("\n".join(draw(lines)))
    print("</g></svg>")


main()
