// Runs one story: `node run.mjs NAME`.
import { Browser } from "./browser.mjs";

const { default: story } = await import(`./stories/${process.argv[2]}.mjs`);
const browser = await Browser.start();
try {
  await story(browser);
} catch (error) {
  await browser.failed(process.argv[2]);
  throw error;
} finally {
  // Also reports the mistakes of a story that has failed: they are often the cause.
  await browser.close();
}
process.exit(0);
