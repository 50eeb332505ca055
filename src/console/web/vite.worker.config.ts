import { defineConfig } from "vite";

// The service worker is a script of its own: the browser starts it without the page.
export default defineConfig({
  esbuild: { legalComments: "none" },
  build: {
    outDir: "../dist",
    emptyOutDir: false,
    copyPublicDir: false,
    target: "es2022",
    rollupOptions: {
      input: "src/worker/worker.ts",
      output: { entryFileNames: "worker.js", format: "iife" },
    },
  },
});
