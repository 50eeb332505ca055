import { render } from "preact";
import { App } from "./state/app";
import { Shell } from "./ui/shell";
import { chooseTheme } from "./ui/sidebar";
import "./style/base.css";
import "./style/layout.css";
import "./style/conversation.css";
import "./style/panels.css";
import "./style/prompt.css";

let theme: string | null = null;
try {
  theme = localStorage.getItem("theme");
} catch {
  // Without storage the system decides.
}
chooseTheme(theme);

const app = new App();
render(<Shell app={app} />, document.getElementById("app")!);
app.start();
