// Shows webhooks in a channel of Slack. TARGET_URL is that of an incoming webhook: https://hooks.slack.com/services/…
import { describe, post, receive } from "./receive.mjs";

receive(async (webhook) => {
    const [title, text] = describe(webhook);
    const link = webhook.data.approve_url;
    const shown = text.slice(0, 2500).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
    const blocks = [{ type: "section", text: { type: "mrkdwn", text: `*${title}*\n\`\`\`${shown}\`\`\`` } }];
    if (link) {
        const button = { type: "button", text: { type: "plain_text", text: "Review" }, url: link };
        blocks.push({ type: "actions", elements: [button] });
    }
    await post({ "content-type": "application/json" }, JSON.stringify({ text: title, blocks }));
});
