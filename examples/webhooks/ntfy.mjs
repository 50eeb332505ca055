// Shows webhooks as notifications of ntfy (https://ntfy.sh). TARGET_URL is that of a topic: https://ntfy.sh/my-secret-topic
import { describe, post, receive } from "./receive.mjs";

receive(async (webhook) => {
    const [title, text] = describe(webhook);
    const link = webhook.data.approve_url;
    const headers = { title, priority: link ? "high" : "default" };
    if (link) headers.click = link;
    await post(headers, text.slice(0, 3000));
});
