// Puts the agent's files back as they were before a message. It first says which, by a dry run.

import { useEffect, useState } from "preact/hooks";
import type { UserMessage } from "../state/conversation";
import { useStore } from "../state/store";
import { firstLine, shortPath, textOf } from "../text/plain";
import { useApp, useSession } from "./context";
import { Dialog } from "./dialog";

export function RewindDialog({ message, close }: { message: UserMessage; close: () => void }) {
  const app = useApp();
  const session = useSession();
  const { rewound } = useStore(session.conversation);
  const cwd = useStore(session.description)?.cwd;
  const [since] = useState(() => session.conversation.get().seq);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const send = (dryRun: boolean) => session.send({ type: "rewind", message_uuid: message.id, dry_run: dryRun });
  useEffect(() => void send(true).then(setProblem), []);

  const told = rewound && rewound.seq > since && rewound.message === message.id ? rewound : null;
  const files = told?.files;
  const rewind = async () => {
    setBusy(true);
    const failed = await send(false);
    setBusy(false);
    if (failed) return setProblem(failed);
    app.announce("The files are as they were before the message.");
    close();
  };
  return (
    <Dialog title="Rewind the files" close={close}>
      <p>
        Files that the agent has changed with its tools since “{firstLine(textOf(message.content), 80)}” are put back as
        they were before it. The conversation stays, and so does what commands have changed.
      </p>
      <div aria-live="polite">
        {!files && !problem && <p class="faint">Looking which files would change…</p>}
        {files?.length === 0 && <p class="faint">No file would change.</p>}
        {files && files.length > 0 && (
          <>
            <h3>{files.length === 1 ? "One file changes" : `${files.length} files change`}</h3>
            <ul class="rows paths" aria-label="Files that change">
              {files.map((file) => (
                <li key={file}>
                  <code>{shortPath(file, cwd)}</code>
                </li>
              ))}
            </ul>
          </>
        )}
      </div>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <div class="actions">
        <button type="button" class="primary" disabled={busy || !files?.length} onClick={rewind}>
          Put them back
        </button>
        <button type="button" onClick={close}>
          Leave them
        </button>
      </div>
    </Dialog>
  );
}
