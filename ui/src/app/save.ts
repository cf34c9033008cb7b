/** Files that the browser saves where its user wants downloads. */

/** Save what a URL leads to, under this name. */
export function saveFrom(url: string, name: string): void {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
}

/** Save a file that was made in the page. */
export function saveFile(content: Blob, name: string): void {
  const url = URL.createObjectURL(content);
  saveFrom(url, name);
  // Browsers read it some time after the click.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export const saveText = (text: string, name: string, type = "text/plain"): void => saveFile(new Blob([text], { type }), name);
